"""How two NATs are crossed when openers and checks alone do not do it."""

__all__: list[str] = []
