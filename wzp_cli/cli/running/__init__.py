"""How a command runs: its loop, logs, signals and end."""
