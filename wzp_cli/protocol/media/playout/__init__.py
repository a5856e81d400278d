"""From packets as they arrive to frames at the beat of the device."""
