"""``lakekey import``: sessions that other tools keep in plain text."""
