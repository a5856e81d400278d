"""From the dial to the hang-up: what the two who call do."""
