"""What is said over links, as values and as bytes."""
