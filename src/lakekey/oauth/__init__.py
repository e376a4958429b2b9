"""The OAuth protocol: one exchange a module, no storage, no time of day but ``expires_in`` and ``Retry-After``."""
