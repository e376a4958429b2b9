"""``lakekey sandbox``: a local workspace in the foreground."""

import argparse
from importlib.util import find_spec

from lakekey.errors import ConfigurationError, LakekeyError


def sandbox(arguments: argparse.Namespace) -> int:
    """Run the sandbox until it is interrupted."""
    require_sandbox()
    from lakekey_sandbox.serve import run_command, serve
    from lakekey_sandbox.sql import require_engine

    try:
        require_engine(arguments.engine)
    except ImportError as error:
        hint = "pip install 'lakekey[spark]'" if error.name == "pyspark" else "install a Java runtime, or set JAVA_HOME"
        raise ConfigurationError(str(error.msg).partition(":")[0], hint=hint) from None
    options = {
        "port": arguments.port,
        "token_lifetime": arguments.token_lifetime,
        "engine": arguments.engine,
        "directory": arguments.directory,
    }
    try:
        if arguments.program:
            return run_command(arguments.program, **options)
        return serve(as_json=arguments.json, **options)
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
