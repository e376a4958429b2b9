"""One credential of this machine: stored, refreshed once for all processes, and signed in when that is needed."""
