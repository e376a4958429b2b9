"""OAuth by hand: what the server says, with no library in between."""

import base64
import hashlib
import json
import secrets
from urllib.parse import urlencode

import requests

from support.servers.oidc_server import OidcServer

SCOPES = "all-apis offline_access openid email profile"
REDIRECT = "http://localhost:8020"


class TinyClient:
    """A client that keeps nothing and checks nothing."""

    def __init__(self, server: OidcServer, client_id="databricks-cli", redirect=REDIRECT, auth=None):
        self.server, self.client_id, self.redirect, self.auth = server, client_id, redirect, auth
        self.verifier = secrets.token_urlsafe(48)
        self.state = secrets.token_urlsafe(16)

    def authorize_url(self, scope=SCOPES, **more):
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect,
            "scope": scope,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **more,
        }
        query = {name: value for name, value in query.items() if value is not None}
        return f"{self.server.issuer}/v1/authorize?{urlencode(query)}"

    def post(self, timeout=20, **fields):
        if self.auth is None:
            fields.setdefault("client_id", self.client_id)
        with requests.Session() as session:
            session.trust_env = False
            return session.post(
                f"{self.server.issuer}/v1/token",
                data=fields,
                auth=self.auth,
                verify=self.server.ca_file,
                timeout=timeout,
            )

    def exchange(self, code, **more):
        return self.post(
            **{
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.redirect,
                "code_verifier": self.verifier,
                **more,
            }
        )

    def refresh(self, refresh_token, **more):
        return self.post(grant_type="refresh_token", refresh_token=refresh_token, **more)

    def login(self, user="ada@example.com", scope=SCOPES):
        done = self.server.sign_in(self.authorize_url(scope), user, deliver=False)
        answer = self.exchange(done.parameters["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()


def get(server, path, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with requests.Session() as session:
        session.trust_env = False
        return session.get(server.host + path, headers=headers, verify=server.ca_file, timeout=20)


def whoami(server, token):
    return get(server, "/api/2.0/preview/scim/v2/Me", token)


def claims(jwt):
    part = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def service_principal(server, secret=None):
    principal = server.service_principal
    auth = (principal.client_id, secret or principal.client_secret)
    return TinyClient(server, principal.client_id, auth=auth)
