"""Sound on its way: the packet, its order and moment, and how well it went."""
