"""Every number that shapes behaviour: unit in the name, source under it.

Two kinds, never mixed: what a specification asks for, and what we chose. By theme:
`endpoint`, `paths`, `diagnosis`, `relay`, `media`, `control`, `sound`, `program`.
"""
