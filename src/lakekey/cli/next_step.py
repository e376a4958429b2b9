"""What to type after signing in: the first row where there is a warehouse, else a token."""

from importlib.util import find_spec

from lakekey import _commands


def first_use(profile: str | None, *, warehouse: bool) -> str:
    """The command that a person who is signed in types first.

    Args:
        profile: The profile; ``None`` for the only session that there is.
        warehouse: Whether statements have a place to run.
    """
    named = _commands.profile(profile) if profile else ""
    if warehouse and has_sql_connector():
        option = f"-p {named}" if profile and not profile.startswith("-") else named
        return f'lakekey sql "select 1" {option}'.rstrip()
    return f"lakekey token {named}".rstrip()


def has_sql_connector() -> bool:
    """Whether ``lakekey sql`` can run a statement: the connector is an extra."""
    return find_spec("databricks") is not None and find_spec("databricks.sql") is not None
