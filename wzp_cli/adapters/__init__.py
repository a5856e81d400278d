"""Sound card, codec, disk and interfaces: what services reach through ports."""
