"""Where sealed entries are kept: the `Store` protocol, and one file for each kind of store."""
