"""What a connector holds: the provider, its snapshot, and the sources that tokens come from."""
