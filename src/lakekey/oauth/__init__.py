"""The OAuth protocol: one exchange a module, no storage and no time of day beyond ``expires_in``."""
