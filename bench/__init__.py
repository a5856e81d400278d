"""Figures of wzp on this machine, measured with the program itself (README.md)."""
