"""Arguments, environment and profiles, resolved to one `Target`."""
