"""What a newcomer meets: the next step, questions, and what may be in the way."""
