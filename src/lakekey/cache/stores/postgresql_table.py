"""The one table of a PostgreSQL store, its version, and how an administrator makes it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lakekey.cache.stores.alike import understood
from lakekey.cache.stores.findings import shown
from lakekey.errors import CacheError

if TYPE_CHECKING:
    from lakekey.cache.stores.postgresql_server import Answer

TABLE = "lakekey_store"
SCHEMA_VERSION = "1"
UPGRADE = "pip install --upgrade lakekey"
#: What `lakekey store init` runs, and what `--sql` prints for an administrator.
SCHEMA = """\
CREATE TABLE IF NOT EXISTS lakekey_store (
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('entry', 'bad', 'lease', 'note')),
  name text COLLATE "C" NOT NULL,
  body bytea NOT NULL,
  holder text,
  expires timestamptz,
  PRIMARY KEY (kind, name)
);
INSERT INTO lakekey_store (kind, name, body) VALUES ('note', 'schema', '1') ON CONFLICT DO NOTHING;
"""
# A role that may not create is denied `CREATE TABLE IF NOT EXISTS` where the table is there, too. Where there is no
# current schema, the first one of the role's search_path is what would be it.
_PLACE = r"""
SELECT to_regclass('lakekey_store') IS NOT NULL, quote_ident(current_schema()), quote_ident(current_user),
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), first, to_regnamespace(first) IS NOT NULL
FROM (SELECT CASE WHEN named IN ('"$user"', '$user') THEN quote_ident(current_user) ELSE named END AS first
      FROM substring(current_setting('search_path') FROM '"(?:[^"]|"")+"|[^,"\s]+') AS named) AS path
"""


def create(where: str, ask: Callable[[str, Sequence[Any]], "Answer"]) -> None:
    """Make the table where it is not there, and note its version.

    Args:
        where: The store's place, for people.
        ask: Sends a statement with its values.

    Raises:
        CacheError: The role may not, or the answer is none to what was asked.
    """
    rows = ask(_PLACE, ()).rows

    def place() -> tuple[bool, str | None, str, bool, str | None, bool]:
        [(there, schema, role, allowed, first, is_there)] = rows
        named = [None if name is None else shown(name) for name in (schema, first)]
        return there, named[0], shown(role), allowed, named[1], is_there

    there, schema, role, allowed, first, is_there = understood(where, place)
    table, note = [statement for statement in SCHEMA.split(";\n") if statement.strip()]
    if not there:
        if schema is None:
            raise _without_schema(where, role, first, is_there=is_there)
        if not allowed:
            step = f"an administrator runs there: GRANT CREATE ON SCHEMA {schema} TO {role}; then run it again"
            raise CacheError(
                f"the store {where} does not let {role} create the table",
                hint=f"{step}. Or an administrator runs what this prints: lakekey store init --sql",
            )
        ask(table, ())
    ask(note, ())


def _without_schema(where: str, role: str, first: str | None, *, is_there: bool) -> CacheError:
    """Why there is no schema to create the table in.

    Args:
        where: The store's place, for people.
        role: Who asks.
        first: The first schema that the role's search_path names, as SQL writes it.
        is_there: Whether it is there, and the role may not use it.
    """
    if first is None:
        why, statement = "names none", f"ALTER ROLE {role} SET search_path = public"
    elif is_there:
        why = f"begins with {first}, which {role} may not use"
        statement = f"GRANT USAGE, CREATE ON SCHEMA {first} TO {role}"
    else:
        why, statement = f"begins with {first}, which is not there", f"CREATE SCHEMA {first} AUTHORIZATION {role}"
    return CacheError(
        f"the store {where} has no schema to create the table in: the search_path of {role} {why}",
        hint=f"an administrator runs there: {statement}; then run it again",
    )
