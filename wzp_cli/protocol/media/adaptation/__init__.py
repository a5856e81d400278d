"""How sound is sent, learnt from how it arrives."""
