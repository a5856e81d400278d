"""What is said of a relay on the command line and in its file."""
