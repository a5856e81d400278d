"""Sound in files: WAV and others as a microphone, WAV as a speaker, calls recorded."""
