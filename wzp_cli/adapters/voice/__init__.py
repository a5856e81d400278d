"""What is done with sound between a device and a call: cleaned, louder, generated."""
