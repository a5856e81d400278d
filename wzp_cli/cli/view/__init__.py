"""The screen of a call: what a person sees who sits at a terminal."""
