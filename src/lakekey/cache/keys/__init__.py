"""The keys that seal the cache: the ring, the sources it comes from, and the choice among them."""
