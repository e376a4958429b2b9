"""msal with msal-extensions' locked cache, in a plaintext file. Usage: ``with_msal.py fill|told SECONDS_LEFT COUNT``.

COUNT entries are stored, of which the first is asked for. Its encrypted stores want libsecret and PyGObject.
"""

import base64
import json
import os
import sys
import time

import msal
from gate import session, told
from msal_extensions import FilePersistence, PersistedTokenCache

CLIENT = "databricks-cli"
SCOPES = ["all-apis"]
PLACE = os.path.expanduser("~/msal.json")


def fill(left: float, count: int) -> None:
    tokens = session()
    cache = msal.SerializableTokenCache()
    for number in range(count):
        claims = {"sub": f"person {number}", "iss": f"{tokens['host']}/oidc", "preferred_username": f"person {number}"}
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        event = {
            "client_id": CLIENT,
            "scope": SCOPES,
            "token_endpoint": f"{tokens['host']}/oidc/v1/token",
            "grant_type": "authorization_code",
            "response": {
                "access_token": tokens["access_token"] + (str(number) if number else ""),
                "refresh_token": tokens["refresh_token"] + (str(number) if number else ""),
                "id_token": f"e30.{body}.c2ln",
                "expires_in": 3600,
                "token_type": "Bearer",
            },
        }
        cache.add(event, now=int(time.time() - 3600 + left))
    FilePersistence(PLACE).save(cache.serialize())


def ask() -> object:
    tokens = session()
    application = msal.PublicClientApplication(
        CLIENT,
        oidc_authority=f"{tokens['host']}/oidc",
        verify=tokens["ca_file"],
        token_cache=PersistedTokenCache(FilePersistence(PLACE)),
    )
    [account] = application.get_accounts("person 0")
    return "access_token" in (application.acquire_token_silent(SCOPES, account) or {})


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    else:
        told(ask)
