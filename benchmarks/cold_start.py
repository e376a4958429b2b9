"""A new process to its first header on a warm cache, key in a file: beside the floor and beside databricks-sdk."""

from harness import Bench, Row

FLOOR = "import json, hashlib; from cryptography.hazmat.primitives.ciphers.aead import AESGCM"
LAKEKEY = "import lakekey; lakekey.provider('person').headers()"
NO_FILE = "import lakekey; lakekey.provider(host={host!r}).headers()"
# The SDK's own sign-in opens the browser before it listens, on one fixed port, and may then wait for ever.
# So its own plaintext cache is filled by its own code with a session of the same workspace, not by its sign-in.
FILL_SDK = """
import lakekey
from databricks.sdk.core import Config
from databricks.sdk.oauth import SessionCredentials, Token, TokenCache
provider = lakekey.provider("person")
config = Config(profile="person", credentials_strategy=provider)
scopes = config.get_scopes()
endpoints, redirect = config.databricks_oidc_endpoints, "http://localhost:8020"
token = config.oauth_token()
token = Token(token.access_token, token.token_type, provider.session.peek().refresh_token, token.expiry)
scopes = scopes if "offline_access" in scopes else scopes + ["offline_access"]
TokenCache(config.host, endpoints, "databricks-cli", redirect, None, scopes, "person").save(
    SessionCredentials(token, endpoints.token_endpoint, "databricks-cli", None, redirect)
)
"""
SDK = "from databricks.sdk.core import Config; Config(profile='person').authenticate()"


def run(bench: Bench) -> list[Row]:
    no_file = NO_FILE.format(host=bench.box.host)
    for program in (LAKEKEY, FILL_SDK):
        bench.child(["-c", program])  # from here on both caches are warm
    asked = bench.box.counters["token.requests"]
    medians = bench.process_times(
        {"floor": FLOOR, "lakekey": LAKEKEY, "no file": no_file, "sdk": SDK}, rounds=9, slow=["sdk"]
    )
    if bench.box.counters["token.requests"] != asked:
        raise RuntimeError("a cache was not warm: there were token requests")
    floor, ours, sdk = medians["floor"], medians["lakekey"], medians["sdk"]
    what = "a new process to its first header, warm cache, key file"
    return [
        Row("the floor: python importing json, hashlib, AESGCM", floor),
        Row("databricks-sdk: the same, warm external-browser", sdk),
        Row(what, ours, "the floor", ours / floor, 1.5),
        Row(what, ours, "databricks-sdk", ours / sdk, 1 / 22),
        Row("the same without a profile to read", medians["no file"], "the floor", medians["no file"] / floor),
    ]
