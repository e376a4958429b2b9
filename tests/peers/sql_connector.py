"""Runs the SQL connector's own end-to-end tests against the sandbox's warehouse, or its unit tests.

    python tests/peers/sql_connector.py CHECKOUT [--unit] [--lakekey] [pytest's arguments]

CHECKOUT is a checkout of databricks-sql-python. With --lakekey, `lakekey.sql.connect` makes the suite's connections:
what fails then and not without is lakekey's. The unit tests (--unit) replace the connector's inside and send nothing.
Nothing is fetched: the connector, pytest and pytz of this interpreter's environment are used, and the connector's own
installed release is what is tested. The tests that need another protocol than Thrift, or a cloud's storage, are left
out and counted: ``LEFT_OUT`` says why, and ``LEFT_TO_PLAIN`` for those that run without --lakekey only.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import lakekey

# What a test's id holds, and why plain Thrift to a warehouse on loopback cannot run it.
LEFT_OUT = {
    "_staging_": "uploads to a cloud's storage",
    "_uc_volume_": "uploads to a cloud's storage",
    "_streaming_put_": "uploads to a cloud's storage",
    "test_kernel": "the connector's other engine",
    "TestPySQLLongRunningQuery": "takes minutes by design",
    "test_execute_async__long_running": "the same: it compares 1.6 billion rows",
    "TestPySQLLarge": "results of 100 MB",
    "test_telemetry_e2e": "messages to the vendor",
    "test_concurrent_telemetry": "messages to the vendor",
    "test_circuit_breaker": "messages to the vendor",
}

# What only the plain connector can run, and why.
LEFT_TO_PLAIN = {
    "test_401_not_retried": "answers every request of the process with 401, also ours for another token",
    "test_403_not_retried": "the same with 403",
}

# What the suite says of the server, which lakekey knows of its provider.
PLACE_AND_TOKEN = ("server_hostname", "http_path", "access_token")


class OnTheSandbox:
    """Leads the suite's connections to the sandbox, and leaves out what it cannot run."""

    def __init__(self, connect_args, provider=None):
        self._connect_args = connect_args
        self._provider = provider
        self._connect = None

    def pytest_configure(self):
        from databricks import sql

        self._connect = sql.connect

        def connect(*args, **options):
            if self._provider is None or "credentials_provider" in options:  # which is lakekey's own call
                return self._connect(*args, **{**self._connect_args, **options})
            kept = {name: value for name, value in options.items() if name not in PLACE_AND_TOKEN}
            return lakekey.sql.connect(self._provider, **{"enable_telemetry": False, **kept})

        sql.connect = connect

    def pytest_unconfigure(self):
        from databricks import sql

        sql.connect = self._connect

    def pytest_collection_modifyitems(self, config, items):
        parts = [*LEFT_OUT, *(LEFT_TO_PLAIN if self._provider is not None else ())]
        left_out = [item for item in items if any(part in item.nodeid for part in parts) or _over_rest(item)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


class UnitTests:
    """Has `lakekey.sql.connect` make the connections of the suite, each for the host that it names.

    The token is at hand: nothing is sent, as in the suite itself.

    Attributes:
        made: How many connections were lakekey's.
    """

    # What a test signs in by itself, or asks of its own kind of connection.
    OTHERS = (
        "credentials_provider", "auth_type", "azure_tenant_id", "use_kernel", "_use_arrow_native_complex_types"
    )  # fmt: skip

    def __init__(self):
        self.made = 0

    def pytest_configure(self):
        from databricks import sql

        plain = sql.connect

        def connect(*place, **options):
            options |= dict(zip(PLACE_AND_TOKEN, place, strict=False))
            if not all(options.get(name) for name in PLACE_AND_TOKEN) or any(name in options for name in self.OTHERS):
                return plain(**options)
            self.made += 1
            hostname, http_path, _ = (options.pop(name) for name in PLACE_AND_TOKEN)
            return lakekey.sql.connect(_provider_of(hostname), http_path=http_path, **options)

        sql.connect = connect


def _provider_of(hostname):
    from lakekey.cache.entry import Entry
    from lakekey.cache.opening import open_cache
    from lakekey.configuration.target import resolve
    from lakekey.providers.provider import Provider
    from lakekey.session.session import Session

    target = resolve(host=f"https://{hostname}", client_id="suite", client_secret="suite")
    cache = open_cache({}, place="memory:")
    now = time.time()
    entry = Entry(
        target.description(), access_token="tok", issued_at=now, expires_at=now + 3600, proof=target.secret_digest
    )
    cache.put(Session(target).entry_id, entry, replaces=cache.read(Session(target).entry_id).envelope)
    return Provider(target, cache=cache)


def run_units(checkout, arguments):
    """Runs the unit tests in this process; gives pytest's exit status."""
    by_lakekey = "--lakekey" in arguments
    options = ["--rootdir", checkout, "-c", os.devnull, "--import-mode=prepend", "-p", "no:cacheprovider"]
    options += ["-p", "no:lakekey_sandbox", "-p", "no:randomly", "-W", "ignore"]
    arguments = [it for it in arguments if it not in ("--lakekey", "--unit")]
    chosen = [it for it in arguments if not it.startswith("-")] or [f"{checkout}/tests/unit"]
    flags = [it for it in arguments if it.startswith("-")]
    units = UnitTests()
    status = pytest.main([*options, *flags, *chosen], plugins=[units] if by_lakekey else [])
    print(f"{units.made} connections were made by lakekey.sql.connect")
    return status


def _over_rest(item):
    """Whether a test uses the REST protocol for statements."""
    given = item.callspec.params if hasattr(item, "callspec") else {}
    return any(isinstance(value, dict) and value.get("use_sea") for value in given.values())


def run(checkout, arguments):
    """Runs the suite in this process; gives pytest's exit status."""
    from lakekey.sandbox import Sandbox

    by_lakekey = "--lakekey" in arguments
    arguments = [it for it in arguments if it != "--lakekey"]
    with Sandbox(token_lifetime=24 * 3600) as box:
        box.register_client("suite", client_secret="suite")
        os.environ.update(
            DATABRICKS_SERVER_HOSTNAME=box.host.removeprefix("https://"),
            DATABRICKS_HTTP_PATH=box.http_path,
            DATABRICKS_TOKEN=_token(box),
            DATABRICKS_CATALOG="main",
            DATABRICKS_SCHEMA="default",
            DATABRICKS_USER="suite",
        )
        extra = {name: value for name, value in box.connect_args().items() if name.startswith(("_", "enable"))}
        options = ["--rootdir", checkout, "-c", os.devnull, "--import-mode=prepend", "-p", "no:cacheprovider"]
        options += ["-p", "no:lakekey_sandbox", "-p", "no:randomly", "-W", "ignore"]
        chosen = [it for it in arguments if not it.startswith("-")] or [f"{checkout}/tests/e2e"]
        flags = [it for it in arguments if it.startswith("-")]
        provider = None
        if by_lakekey:
            os.environ["LAKEKEY_STORE"] = "memory:"
            provider = lakekey.provider(
                host=box.host, ca_file=box.ca_file, http_path=box.http_path, client_id="suite", client_secret="suite"
            )
        return pytest.main([*options, *flags, *chosen], plugins=[OnTheSandbox(extra, provider)])


def _token(box):
    import requests

    form = {"grant_type": "client_credentials", "scope": "sql"}
    url = f"{box.host}/oidc/v1/token"
    answer = requests.post(url, data=form, auth=("suite", "suite"), verify=box.ca_file, timeout=10)
    answer.raise_for_status()
    return answer.json()["access_token"]


def main():
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "tests" / "e2e").is_dir():
        sys.exit(__doc__)
    checkout = os.path.abspath(sys.argv[1])
    if os.environ.get("LAKEKEY_PEER_DIRECTORY") != os.getcwd():
        # The suite writes a log into the working directory, and imports what lies there.
        with tempfile.TemporaryDirectory() as directory:
            environment = {**os.environ, "LAKEKEY_PEER_DIRECTORY": directory}
            arguments = [sys.executable, "-P", os.path.abspath(__file__), checkout, *sys.argv[2:]]
            sys.exit(subprocess.run(arguments, cwd=directory, env=environment, check=False).returncode)
    sys.exit((run_units if "--unit" in sys.argv else run)(checkout, sys.argv[2:]))


if __name__ == "__main__":
    main()
