"""Installing packages into sandboxes, with nothing in reach but one registry."""
