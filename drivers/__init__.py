"""The drivers: one file per protocol, each declaring SPEC; they know the ports of the core and nothing of each other."""
