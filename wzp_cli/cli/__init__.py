"""The commands: words in, words out. The only room that knows typer and rich."""
