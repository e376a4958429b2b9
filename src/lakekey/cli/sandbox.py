"""``lakekey sandbox``: a local workspace in the foreground."""

import argparse
from importlib.util import find_spec

from lakekey.errors import ConfigurationError, LakekeyError


def sandbox(arguments: argparse.Namespace) -> int:
    """Run the sandbox until it is interrupted."""
    require_sandbox()
    from lakekey_sandbox.serve import serve

    try:
        return serve(
            as_json=arguments.json,
            port=arguments.port,
            token_lifetime=arguments.token_lifetime,
            engine=arguments.engine,
            directory=arguments.directory,
        )
    except OSError as error:
        raise LakekeyError(
            f"the sandbox cannot start: {error.strerror or error}", hint="choose another --port or --directory"
        ) from None


def require_sandbox() -> None:
    """Say what is missing where the extra is not installed.

    Raises:
        ConfigurationError: It is not.
    """
    missing = [
        name for name in ("lakekey_sandbox", "authlib", "duckdb", "flask", "lz4", "sqlglot") if find_spec(name) is None
    ]
    if missing:
        raise ConfigurationError(f"the sandbox needs {', '.join(missing)}", hint="pip install 'lakekey[sandbox]'")
