"""Log records, spans and counters of what happens to a session."""
