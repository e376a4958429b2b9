"""What the peers do where processes share a session by way of a server: a cache in a table, a token store, a lock.

Usage: ``shared_store.py NAME fill|told``. Each keeps its token in a table of PostgreSQL, and gets its lock in Redis.

- ``msal``: its own `SerializableTokenCache`, kept in a row: read before, written where it has changed.
- ``authlib``: its `OAuth2Session`, with the token in a row and `update_token` writing it.
- ``lease``: as n8n describes its lease: 30 s, renewed every third of that, the token read again inside; who has waited
  for 10 s goes on without it.
- ``lock``: as Superset describes its lock: 30 s, not renewed, 8 tries with pauses that double, the token read again
  inside; the database is committed at the end of the request, after the lock was released.

The last two are ours, written after the descriptions alone; their pauses are our reading of them.
"""

import json
import os
import sys
import threading
import time
import uuid

import psycopg
from gate import session, told

CLIENT, SCOPES = "databricks-cli", ["all-apis"]
LEASE, PATIENCE, POLL = 30.0, 10.0, 0.1  # seconds
TRIES, FIRST_PAUSE = 8, 0.1  # s
REST_OF_THE_REQUEST = 0.2  # seconds, in which a request does what it wanted the token for


def database() -> "psycopg.Connection":
    return psycopg.connect(os.environ["BENCH_POSTGRESQL"], autocommit=True)


def read(connection: "psycopg.Connection") -> str:
    return connection.execute("SELECT body FROM peer_tokens WHERE name = %s", (sys.argv[1],)).fetchone()[0]


def write(connection: "psycopg.Connection", body: str) -> None:
    connection.execute(
        "INSERT INTO peer_tokens VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET body = EXCLUDED.body",
        (sys.argv[1], body),
    )


def endpoint() -> str:
    return f"{session()['host']}/oidc/v1/token"


def is_live(token: dict) -> bool:
    return token["expires_at"] > time.time() + 30


def refreshed(token: dict) -> dict:
    """One refresh, as each of them makes it."""
    import requests

    form = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "client_id": CLIENT}
    answer = requests.post(endpoint(), data=form, timeout=60, verify=session()["ca_file"])
    answer.raise_for_status()
    fresh = answer.json()
    return {**token, **fresh, "expires_at": time.time() + fresh["expires_in"]}


# -- msal ----------------------------------------------------------------------------------------------------------


def msal_fill() -> None:
    import msal
    import with_msal

    with_msal.fill(-60.0, 1)  # the same cache that it keeps in a file
    cache = msal.SerializableTokenCache()
    with open(with_msal.PLACE, encoding="utf-8") as file:
        cache.deserialize(file.read())
    with database() as connection:
        write(connection, cache.serialize())


def msal_ask() -> bool:
    import msal

    tokens, cache = session(), msal.SerializableTokenCache()
    with database() as connection:
        cache.deserialize(read(connection))
        application = msal.PublicClientApplication(
            CLIENT, oidc_authority=f"{tokens['host']}/oidc", verify=tokens["ca_file"], token_cache=cache
        )
        [account] = application.get_accounts("person 0")
        found = application.acquire_token_silent(SCOPES, account) or {}
        if cache.has_state_changed:
            write(connection, cache.serialize())
    return "access_token" in found


# -- authlib -------------------------------------------------------------------------------------------------------


def token_fill() -> None:
    tokens = session()
    stored = {name: tokens[name] for name in ("access_token", "refresh_token")}
    with database() as connection:
        write(connection, json.dumps({**stored, "token_type": "Bearer", "expires_at": time.time() - 60}))


def authlib_ask() -> bool:
    from authlib.integrations.requests_client import OAuth2Session

    with database() as connection:

        def update(token: dict, **_: object) -> None:
            write(connection, json.dumps(dict(token)))

        client = OAuth2Session(
            CLIENT,
            token=json.loads(read(connection)),
            token_endpoint=endpoint(),
            token_endpoint_auth_method="none",
            update_token=update,
        )
        client.verify = session()["ca_file"]
        client.ensure_active_token(client.token)
        return is_live(client.token)


# -- locks in Redis ------------------------------------------------------------------------------------------------


def redis_client() -> object:
    import redis

    return redis.Redis.from_url(os.environ["BENCH_REDIS"])


def live_token(connection: object) -> dict:
    """The stored token, refreshed and stored again where it has expired."""
    token = json.loads(read(connection))
    if not is_live(token):
        token = refreshed(token)
        write(connection, json.dumps(token))
    return token


def release(client: object, key: str, mine: str) -> None:
    """Ends a lock that is still ours."""
    if client.get(key) == mine.encode():
        client.delete(key)


def lease_ask() -> bool:
    client, mine = redis_client(), uuid.uuid4().hex
    with database() as connection:
        if is_live(json.loads(read(connection))):
            return True
        began, over = time.monotonic(), threading.Event()
        held = False
        while not held and time.monotonic() - began < PATIENCE:
            held = bool(client.set("peer-lease", mine, nx=True, px=int(LEASE * 1000)))
            if not held:
                time.sleep(POLL)

        def watch() -> None:
            while not over.wait(LEASE / 3):
                client.pexpire("peer-lease", int(LEASE * 1000))

        if held:
            threading.Thread(target=watch, daemon=True).start()
        try:
            token = live_token(connection)
        finally:
            over.set()
            if held:
                release(client, "peer-lease", mine)
        return is_live(token)


def lock_ask() -> bool:
    client, mine = redis_client(), uuid.uuid4().hex
    with psycopg.connect(os.environ["BENCH_POSTGRESQL"]) as connection:  # commits when the block ends
        token = json.loads(read(connection))
        connection.commit()
        if is_live(token):
            return True
        for attempt in range(TRIES):
            if client.set("peer-lock", mine, nx=True, ex=int(LEASE)):
                break
            time.sleep(FIRST_PAUSE * 2**attempt)
        else:
            raise TimeoutError("the lock was not to be had")
        try:
            token = live_token(connection)
        finally:
            release(client, "peer-lock", mine)
        time.sleep(REST_OF_THE_REQUEST)
        return is_live(token)


PEERS = {
    "msal": (msal_fill, msal_ask),
    "authlib": (token_fill, authlib_ask),
    "lease": (token_fill, lease_ask),
    "lock": (token_fill, lock_ask),
}

if __name__ == "__main__":
    fill, ask = PEERS[sys.argv[1]]
    if sys.argv[2] == "fill":
        fill()
    else:
        told(ask)
