"""From what the screen knows to what the terminal is sent."""
