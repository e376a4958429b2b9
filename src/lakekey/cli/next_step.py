"""What to type after signing in: the first row where there is a warehouse, else a token."""

import shlex
from importlib.util import find_spec


def first_use(profile: str | None, *, warehouse: bool) -> str:
    """The command that a person who is signed in types first.

    Args:
        profile: The profile; ``None`` for the only session that there is.
        warehouse: Whether statements have a place to run.
    """
    if warehouse and has_sql_connector():
        return 'lakekey sql "select 1"' + (f" -p {shlex.quote(profile)}" if profile else "")
    return f"lakekey token {shlex.quote(profile) if profile else ''}".rstrip()


def has_sql_connector() -> bool:
    """Whether ``lakekey sql`` can run a statement: the connector is an extra."""
    return find_spec("databricks") is not None and find_spec("databricks.sql") is not None
