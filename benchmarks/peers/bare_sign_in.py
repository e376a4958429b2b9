"""A bare Starlette application that signs a person in: one token request, one insert, and nothing else.

It is what an application would have of its own accord: the state and the verifier in its signed session cookie, a
connection to the token endpoint that is kept, a certificate that is checked, and an insert that is durable.
"""

import os
import secrets
import sqlite3
from urllib.parse import urlencode

import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route

from lakekey.oauth.pkce import new_pkce

HOST, CA_FILE, REDIRECT_URI = (os.environ[name] for name in ("BARE_HOST", "BARE_CA_FILE", "BARE_REDIRECT_URI"))
CLIENT = (os.environ["BARE_CLIENT_ID"], os.environ["BARE_CLIENT_SECRET"])
SCOPES = "all-apis email offline_access openid profile"
DATABASE = os.environ["BARE_DATABASE"]
session = requests.Session()
session.trust_env = False
session.verify = CA_FILE

if DATABASE.startswith("postgresql:"):
    import psycopg

    def insert(user, refresh_token):
        with psycopg.connect(DATABASE) as database:
            database.execute(
                "INSERT INTO bare_connection VALUES (%s, %s) "
                "ON CONFLICT (person) DO UPDATE SET refresh_token = EXCLUDED.refresh_token",
                (user, refresh_token),
            )

else:
    file = sqlite3.connect(DATABASE, check_same_thread=False)
    file.execute("CREATE TABLE IF NOT EXISTS bare_connection (person TEXT PRIMARY KEY, refresh_token TEXT)")

    def insert(user, refresh_token):
        with file:
            file.execute("INSERT OR REPLACE INTO bare_connection VALUES (?, ?)", (user, refresh_token))


async def connect(request):
    state, pkce = secrets.token_urlsafe(32), new_pkce()
    request.session.update(state=state, verifier=pkce.verifier)
    query = {
        "response_type": "code",
        "client_id": CLIENT[0],
        "redirect_uri": REDIRECT_URI,
        "scope": SCOPES,
        "state": state,
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
    }
    return RedirectResponse(f"{HOST}/oidc/v1/authorize?{urlencode(query)}", 303)


def redeem(code, verifier, user):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": verifier,
    }
    answer = session.post(f"{HOST}/oidc/v1/token", data=form, auth=CLIENT, timeout=60)
    answer.raise_for_status()
    insert(user, answer.json()["refresh_token"])


async def callback(request):
    state, verifier = request.session.pop("state"), request.session.pop("verifier")
    if not secrets.compare_digest(state, request.query_params["state"]):
        return PlainTextResponse("this is not the answer to your sign-in", 400)
    await run_in_threadpool(redeem, request.query_params["code"], verifier, request.headers["x-user"])
    return RedirectResponse("/", 303)


async def home(request):
    return PlainTextResponse(f"prod is connected as {request.headers['x-user']}.")


app = Starlette(
    routes=[Route("/", home), Route("/connect", connect, methods=["POST"]), Route("/callback", callback)],
    middleware=[Middleware(SessionMiddleware, secret_key=secrets.token_hex(32), https_only=True)],
)
