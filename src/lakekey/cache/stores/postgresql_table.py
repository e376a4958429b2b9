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
# A role that may not create is denied `CREATE TABLE IF NOT EXISTS` where the table is there, too.
_PLACE = """
SELECT to_regclass('lakekey_store') IS NOT NULL, quote_ident(current_schema()), quote_ident(current_user),
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
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

    def place() -> tuple[bool, str | None, str, bool]:
        [(there, schema, role, allowed)] = rows
        return there, None if schema is None else shown(schema), shown(role), allowed

    there, schema, role, allowed = understood(where, place)
    table, note = [statement for statement in SCHEMA.split(";\n") if statement.strip()]
    if not there:
        if schema is None:
            step = f"an administrator runs there: CREATE SCHEMA AUTHORIZATION {role}; then run it again"
            raise CacheError(f"the store {where} has no schema to create the table in", hint=step)
        if not allowed:
            step = f"an administrator runs there: GRANT CREATE ON SCHEMA {schema} TO {role}; then run it again"
            raise CacheError(
                f"the store {where} does not let {role} create the table",
                hint=f"{step}. Or an administrator runs what this prints: lakekey store init --sql",
            )
        ask(table, ())
    ask(note, ())
