"""The measurements of `wzp detect-nat`, each in a file of its own."""

__all__: list[str] = []
