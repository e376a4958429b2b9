"""lakekey.sql where the connector, or something of its own, is not installed."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
sys.modules[sys.argv[1]] = None
import lakekey
try:
    lakekey.sql.connect(host="https://acme.cloud.databricks.com", client_id="c", client_secret="s", http_path="/p")
except Exception as error:
    print(type(error).__name__, getattr(error, "hint", error))
"""


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        ("databricks", "ConfigurationError pip install 'lakekey[sql]'"),
        ("databricks.sql", "ConfigurationError pip install 'lakekey[sql]'"),
        ("urllib3", "ModuleNotFoundError import of urllib3 halted; None in sys.modules"),
    ],
)
def test_missing_connector_is_named_and_nothing_else_mistaken_for_it(absent, said):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, absent], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == said
