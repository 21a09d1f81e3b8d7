"""What is wrong in a sandbox: found quickly, and told on the files of the project."""
