"""These tests need pyspark and Java. Where pyspark is not installed, there is nothing here to collect."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("pyspark") else ["test_*.py"]
