"""A port of the router's own: PCP, NAT-PMP, UPnP; `keeper.py` holds it for a command.

Each way is a module with a `find` that returns a Mapper where the router knows it.
"""
