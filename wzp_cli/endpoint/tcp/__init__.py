"""Datagrams through TCP: WebSockets over TLS, where a network blocks UDP.

Only this room knows websockets, an optional library.
"""
