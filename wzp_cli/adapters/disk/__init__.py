"""What is kept on disk, read and written with care."""
