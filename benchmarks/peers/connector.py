"""databricks-sql-connector's OAuth with the file persistence that it has (for development only, it says).

Usage: ``connector.py fill|told SECONDS_LEFT``. Its table of cloud domains does not hold the sandbox's, so it is told
the endpoints that it uses on AWS; and it reads an access token's end from the JWT, so one is written that says so.
"""

import base64
import json
import os
import sys
import time

from databricks.sql.auth import authenticators
from databricks.sql.auth.common import ClientContext
from databricks.sql.auth.endpoint import InHouseOAuthEndpointCollection
from databricks.sql.common.unified_http_client import UnifiedHttpClient
from databricks.sql.experimental.oauth_persistence import DevOnlyFilePersistence, OAuthToken
from databricks.sql.types import SSLOptions
from gate import session, told

PLACE = os.path.expanduser("~/connector.json")


def fill(left: float) -> None:
    tokens = session()
    ends = json.dumps({"exp": int(time.time() + left)}).encode()
    access_token = f"e30.{base64.urlsafe_b64encode(ends).decode().rstrip('=')}.c2ln"
    DevOnlyFilePersistence(PLACE).persist(_name(tokens), OAuthToken(access_token, tokens["refresh_token"]))


def ask() -> dict[str, str]:
    tokens = session()
    options = SSLOptions(tls_trusted_ca_file=tokens["ca_file"])
    client = UnifiedHttpClient(ClientContext(tokens["host"], ssl_options=options))
    authenticators.get_oauth_endpoints = lambda *_: InHouseOAuthEndpointCollection()
    scopes = ["sql", "offline_access"]
    provider = authenticators.DatabricksOAuthProvider(
        _name(tokens), DevOnlyFilePersistence(PLACE), [8020], "databricks-cli", scopes, client
    )
    headers: dict[str, str] = {}
    provider.add_headers(headers)
    return headers


def _name(tokens: dict[str, str]) -> str:
    return tokens["host"].removeprefix("https://")


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(float(sys.argv[2]))
    else:
        told(ask)
