"""The version, which is always that of lakekey itself."""

__version__ = "0.1.0"
