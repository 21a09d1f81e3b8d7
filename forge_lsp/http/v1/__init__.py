"""What stands under /v1: apps and their chats, runs, skills and augmenters."""
