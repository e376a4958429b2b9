"""botocore's SSO session, with its plaintext cache. Usage: ``with_botocore.py fill|told SECONDS_LEFT``.

Its refresh goes to ``AWS_ENDPOINT_URL_SSO_OIDC``, where `sso_front` puts it into OAuth's words.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from pathlib import Path

import botocore.session
from botocore.tokens import SSOTokenProvider
from gate import session, told

CONFIG = """
[profile person]
sso_session = lakehouse

[sso-session lakehouse]
sso_region = us-east-1
sso_start_url = https://start.example.com
"""


def fill(left: float) -> None:
    tokens, now = session(), datetime.now(UTC)
    home = Path(os.path.expanduser("~/.aws"))
    cache = home / "sso" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (home / "config").write_text(CONFIG)
    stored = {
        "startUrl": "https://start.example.com",
        "region": "us-east-1",
        "accessToken": tokens["access_token"],
        "expiresAt": _written(now + timedelta(seconds=left)),
        "clientId": "databricks-cli",
        "clientSecret": "unused",
        "registrationExpiresAt": _written(now + timedelta(days=90)),
        "refreshToken": tokens["refresh_token"],
    }
    place = cache / f"{sha1(b'lakehouse', usedforsecurity=False).hexdigest()}.json"
    place.write_text(json.dumps(stored))
    place.chmod(0o600)


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ask() -> object:
    provider = SSOTokenProvider(botocore.session.Session(profile="person"))
    return provider.load_token().get_frozen_token().token


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(float(sys.argv[2]))
    else:
        told(ask)
