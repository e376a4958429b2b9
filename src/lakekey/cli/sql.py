"""``lakekey sql``: one statement on the profile's warehouse, for a quick look."""

import argparse
import os
import sys
from typing import Any

from lakekey.cli import prompt
from lakekey.cli.next_step import has_sql_connector
from lakekey.cli.output import print_json, print_table
from lakekey.cli.provider import provider_of
from lakekey.cli.workspace_api import WorkspaceApi
from lakekey.errors import ConfigurationError, LakekeyError
from lakekey.providers.provider import Provider


def sql(arguments: argparse.Namespace) -> int:
    """Run the statement and print its rows."""
    if not has_sql_connector():
        raise ConfigurationError("the SQL connector is not installed", hint="pip install 'lakekey[sql]'")
    statement = prompt.piped() if arguments.statement == "-" else arguments.statement
    provider = provider_of(arguments)
    provider.headers()
    http_path = arguments.warehouse and f"/sql/1.0/warehouses/{arguments.warehouse}"
    names, rows, more = _run(provider, statement, http_path or _http_path(provider), arguments.limit)
    if arguments.json:
        print_json({"columns": names, "rows": [[_plain(value) for value in row] for row in rows], "truncated": more})
        return 0
    if names:
        print_table(names, [["NULL" if value is None else str(value) for value in row] for row in rows])
    if more:
        sys.stderr.write("\n")
        prompt.tell(f"The first {arguments.limit} rows; more with --limit.")
    return 0


def _http_path(provider: Provider) -> str:
    """Where the statement runs: as the profile says, else on the only warehouse that there is."""
    if provider.target.http_path:
        return provider.target.http_path
    warehouses = WorkspaceApi(provider).warehouses()
    if len(warehouses) == 1:
        return f"/sql/1.0/warehouses/{warehouses[0].id}"
    known = ", ".join(f"{each.id} ({each.name})" for each in warehouses[:10]) or "there are none that you may see"
    raise ConfigurationError(
        "the profile names no warehouse", hint=f"--warehouse ID: {known}", profile=provider.target.name
    )


def _run(provider: Provider, statement: str, http_path: str, limit: int) -> tuple[list[str], list[list[Any]], bool]:
    from lakekey import sql as connector
    from lakekey.cli.debug import leave_errors_to_us

    leave_errors_to_us()
    trusted, said = _authorities(provider), ""
    try:
        with (
            connector.connect(provider, http_path=http_path, enable_telemetry=False, **trusted) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            if not cursor.description:
                return [], [], False
            found = cursor.fetchmany(limit + 1)
            names = [str(column[0]) for column in cursor.description]
            return names, [list(row) for row in found[:limit]], len(found) > limit
    except LakekeyError:
        raise
    except Exception as error:  # noqa: BLE001 - the connector raises errors of several libraries
        said = (str(error).splitlines() or [type(error).__name__])[0][:500]
    raise LakekeyError(said, hint=None, profile=provider.target.name)


def _authorities(provider: Provider) -> dict[str, Any]:
    """What the sign-in trusts by these variables: the connector reads OpenSSL's only, and retries for minutes."""
    if provider.target.ca_file or os.environ.get("SSL_CERT_FILE"):
        return {}
    named = (os.environ.get(name, "") for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    bundle = next((path for path in named if os.path.isfile(path)), None)  # it takes no directory
    return {"_tls_trusted_ca_file": bundle} if bundle else {}


def _plain(value: Any) -> Any:
    """A value as JSON has it; what JSON has no form for, such as a date or a decimal, as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and value == value and abs(value) != float("inf"):  # noqa: PLR0124 - NaN
        return value
    return str(value)
