"""`wzp demo`: calls on this machine, listened to and judged."""
