"""What `wzp doctor` looks at: each check is real, each finding says its cure."""
