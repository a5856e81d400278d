"""The commands, one module each: parse, call one service, say what came of it."""
