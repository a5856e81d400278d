"""The one UDP socket: it dials, accepts, reflects and carries on a single port."""
