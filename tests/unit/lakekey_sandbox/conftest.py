"""A client of the sandbox that was not tuned to it, and the loopback callback it listens on."""

import base64
import hashlib
import http.server
import secrets
import threading
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from lakekey.sandbox import Sandbox

CLIENT = "databricks-cli"
REDIRECT = "http://127.0.0.1:8020"


class Callback(http.server.HTTPServer):
    """A client's loopback callback that notes what it is told."""

    def __init__(self):
        self.answer = {}
        super().__init__(("127.0.0.1", 0), _CallbackHandler)
        self.uri = f"http://127.0.0.1:{self.server_port}"


class _CallbackHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.answer = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this page.")

    def log_message(self, *args):
        pass


class OAuthClient:
    """A client of the sandbox: sends what it is told to and hands back what comes."""

    def __init__(self, box, issuer=None):
        self.box = box
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = box.ca_file
        self.issuer = issuer or f"{box.host}/oidc"
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def get(self, path, **options):
        return self.http.get(self.box.host + path, allow_redirects=False, timeout=10, **options)

    def authorization_url(self, **changes):
        parameters = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": REDIRECT,
            "scope": "all-apis offline_access",
            "state": "a-state",
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        return f"{self.issuer}/v1/authorize?{query}"

    def sign_in(self, user="ada@example.com", decision="sign-in", **changes):
        """The parameters of the redirect that answers the sign-in form."""
        form = {"user": user, "decision": decision}
        page = self.http.post(self.authorization_url(**changes), data=form, allow_redirects=False, timeout=10)
        assert page.status_code == 302, page.text
        return {key: values[0] for key, values in parse_qs(urlsplit(page.headers["Location"]).query).items()}

    def token(self, auth=None, **form):
        return self.http.post(f"{self.issuer}/v1/token", data=form, auth=auth, timeout=10)

    def redeem(self, code, **changes):
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "client_id": CLIENT,
            "code_verifier": self.verifier,
            **changes,
        }
        return self.token(**{name: value for name, value in form.items() if value is not None})

    def tokens(self, **changes):
        answer = self.redeem(self.sign_in(**changes)["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refresh(self, refresh_token, **changes):
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, client_id=CLIENT, **changes)

    def service_principal(self, **changes):
        auth = (self.box.client_id, self.box.client_secret)
        return self.token(auth=auth, **{"grant_type": "client_credentials", "scope": "all-apis", **changes})

    def revoke(self, token, client_id=CLIENT):
        form = {"token": token, "client_id": client_id}
        return self.http.post(f"{self.issuer}/v1/revoke", data=form, timeout=10)

    def refusal(self, **changes):
        """The parameters of the redirect that refuses an authorization request."""
        page = self.http.get(self.authorization_url(**changes), allow_redirects=False, timeout=10)
        assert page.status_code == 302, page.text
        return {key: values[0] for key, values in parse_qs(urlsplit(page.headers["Location"]).query).items()}

    def assert_refused(self, answer, status, error):
        """An error in the shape of RFC 6749 §5.2."""
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert answer.headers["Cache-Control"] == "no-store"

    def me(self, access_token):
        return self.get("/api/2.0/preview/scim/v2/Me", headers={"Authorization": f"Bearer {access_token}"})


@pytest.fixture
def box():
    with Sandbox() as box:
        yield box


@pytest.fixture
def client_of():
    """Makes clients of a sandbox, or of one of its issuers, and closes them."""
    made = []

    def make(box, issuer=None):
        made.append(OAuthClient(box, issuer))
        return made[-1]

    yield make
    for client in made:
        client.http.close()


@pytest.fixture
def client(box, client_of):
    return client_of(box)


@pytest.fixture
def callback():
    server = Callback()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
