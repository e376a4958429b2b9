"""The connectors on Windows, against the sandbox on Linux's loopback; and the program of `lakekey auth path` that SDKs call."""

import pytest

from lakekey.sandbox import Sandbox
from support import wine

pytestmark = pytest.mark.timeout(600)

ASKS = """
import lakekey.sdk, lakekey.sql
from databricks.sdk import WorkspaceClient
from support.reports import report
with lakekey.sql.connect() as connection, connection.cursor() as cursor:
    cursor.execute("select 6 * 7")
    (row,) = cursor.fetchall()
me = WorkspaceClient(config=lakekey.sdk.config()).current_user.me().user_name
report("result", row=list(row), me=me)
"""


def test_connector_and_sdk_share_one_login(oidc_server, service):
    with Sandbox() as box:
        environ = box.environment()
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            if name in environ:
                environ[name] = wine.windows(environ[name])
        credentials = {"DATABRICKS_CLIENT_ID": box.client_id, "DATABRICKS_CLIENT_SECRET": box.client_secret}
        with service.python(ASKS, **{**environ, **credentials}) as child:
            assert child.result() == {"event": "result", "row": [42], "me": box.client_id}
        assert box.counters["token.requests"] == 1


# The SDK finds the program by its name.
CALLS = """
import os, subprocess, sys
from databricks.sdk.core import Config
from support.reports import report
path = subprocess.run([sys.argv[1], "auth", "path"], capture_output=True, text=True, check=True).stdout.strip()
os.environ["PATH"] = os.path.dirname(path)
report("result", header=Config(auth_type="databricks-cli").authenticate())
"""


def test_sdk_finds_lakekey_by_the_name_of_the_databricks_cli(machine):
    with machine.python(CALLS, wine.windows(wine.LAKEKEY)) as child:
        header = child.result()["header"]
    assert header == {"Authorization": f"Bearer {machine.stored().access_token}"}
    assert machine.token_requests() == 1
