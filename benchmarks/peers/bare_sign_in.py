"""A bare Starlette application that signs a person in: one token request, one insert, and nothing else."""

import os
import secrets
import sqlite3
from urllib.parse import urlencode

import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route

from lakekey.oauth.pkce import new_pkce

HOST, CA_FILE, REDIRECT_URI = (os.environ[name] for name in ("BARE_HOST", "BARE_CA_FILE", "BARE_REDIRECT_URI"))
CLIENT = (os.environ["BARE_CLIENT_ID"], os.environ["BARE_CLIENT_SECRET"])
SCOPES = "all-apis email offline_access openid profile"
pending = {}
database = sqlite3.connect(os.environ["BARE_DATABASE"], check_same_thread=False)
database.execute("CREATE TABLE IF NOT EXISTS connection (user TEXT PRIMARY KEY, refresh_token TEXT)")
session = requests.Session()
session.trust_env = False
session.verify = CA_FILE


async def connect(request):
    state, pkce = secrets.token_urlsafe(32), new_pkce()
    pending[state] = pkce.verifier, request.headers["x-user"]
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


def redeem(code, state):
    verifier, user = pending.pop(state)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": verifier,
    }
    answer = session.post(f"{HOST}/oidc/v1/token", data=form, auth=CLIENT, timeout=60).json()
    with database:
        database.execute("INSERT OR REPLACE INTO connection VALUES (?, ?)", (user, answer["refresh_token"]))


async def callback(request):
    await run_in_threadpool(redeem, request.query_params["code"], request.query_params["state"])
    return PlainTextResponse("connected")


app = Starlette(routes=[Route("/connect", connect, methods=["POST"]), Route("/callback", callback)])
