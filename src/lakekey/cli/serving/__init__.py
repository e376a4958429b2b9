"""``lakekey serve``, ``lakekey auth``: tokens for programs in other languages."""
