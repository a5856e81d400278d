"""What makes a release: `python3 dev.py build`, `python3 dev.py lock`."""
