"""databricks-sdk, external-browser, with its plaintext cache. Usage: ``sdk.py fill|told|service SECONDS_LEFT``.

The cache is filled by the SDK's own code with a session of the same workspace, not by its sign-in, which opens the
browser before it listens, on one fixed port, and may then wait for ever.
"""

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

from databricks.sdk.core import Config
from databricks.sdk.oauth import SessionCredentials, Token, TokenCache
from gate import session, told


def fill(left: float) -> None:
    tokens = session()
    config = Config(profile="person", credentials_strategy=_Nothing())
    scopes = config.get_scopes()
    scopes = scopes if "offline_access" in scopes else [*scopes, "offline_access"]
    endpoints, redirect = config.databricks_oidc_endpoints, "http://localhost:8020"
    now = datetime.now()  # noqa: DTZ005 - the SDK's times are local ones, without their zone
    token = Token(tokens["access_token"], "Bearer", tokens["refresh_token"], now + timedelta(hours=1))
    cache = TokenCache(config.host, endpoints, "databricks-cli", redirect, None, scopes, "person")
    cache.save(SessionCredentials(token, endpoints.token_endpoint, "databricks-cli", None, redirect))
    # Saving refreshes a token that has expired, so its end is set in the file.
    place = Path(cache.filename)
    stored = json.loads(place.read_text())
    stored["token"]["expiry"] = (now + timedelta(seconds=left)).isoformat()
    place.write_text(json.dumps(stored))


class _Nothing:
    def auth_type(self) -> str:
        return "external-browser"

    def __call__(self, _: Config) -> object:
        return dict


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(float(sys.argv[2]))
    else:
        profile = "service" if "service" in sys.argv else "person"
        told(lambda: Config(profile=profile).authenticate())
