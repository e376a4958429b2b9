"""What has to work with any release of the dependencies: run by the interpreter of an environment that has them.

Imports nothing of the tests. A person and a service principal sign in to a sandbox; SQL, the SDK and the command line
use what they got. A store in Redis follows a cluster whose slots move; one in PostgreSQL says that it is away. The cloud's
libraries take tokens from the machine, and AWS wraps a key. A portal under uvicorn shows its page.
"""

import base64
import http.server
import importlib.metadata
import json
import os
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


def environment(box, home):
    """A machine of its own, on which the person at the sandbox answers the browser."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "LAKEKEY_"))}
    person = f"{sys.executable} -m lakekey_sandbox.person --user ada@example.com --ca-file {box.ca_file} %s"
    profiles = os.path.join(home, "databrickscfg")
    common = f"host = {box.host}\nhttp_path = {box.http_path}\nca_file = {box.ca_file}\n"
    with open(profiles, "w", encoding="utf-8") as file:
        file.write(f"[prod]\n{common}\n[nightly]\n{common}auth_type = oauth-m2m\n")
        file.write(f"client_id = {box.client_id}\nclient_secret = {box.client_secret}\n")
    os.chmod(profiles, 0o600)
    ours = {"BROWSER": person, "DATABRICKS_CONFIG_FILE": profiles, "HOME": home, "LAKEKEY_INTERACTIVE": "browser"}
    return {**kept, **box.environment(), **ours, "LAKEKEY_CACHE_DIR": os.path.join(home, "cache")}


def lakekey_says(*arguments, statuses=(0,)):
    done = subprocess.run([sys.executable, "-m", "lakekey", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in statuses, f"lakekey {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def use(box):
    import lakekey
    import lakekey.sdk
    import lakekey.sql

    with lakekey.sql.connect("prod") as connection, connection.cursor() as cursor:
        cursor.execute("select current_user(), cast('2024-01' as date)")
        assert cursor.fetchone()[0] == "ada@example.com"
    with lakekey.sql.connect("nightly") as connection, connection.cursor() as cursor:
        cursor.execute("select current_user()")
        assert cursor.fetchone()[0] == box.client_id

    from databricks.sdk import WorkspaceClient

    assert WorkspaceClient(config=lakekey.sdk.config("prod")).current_user.me().user_name == "ada@example.com"
    assert "ada@example.com" in lakekey_says("status")
    assert lakekey_says("token", "nightly").strip()
    assert "prod" in lakekey_says("doctor", "prod", "--connect", statuses=(0, 1))
    lakekey_says("logout", "prod")
    assert box.counters["logins"] == 1


class Node(socketserver.StreamRequestHandler):
    """A node of a cluster from which all keys have moved, to another of these whose server says so."""

    def handle(self):
        for line in self.rfile:
            words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2).strip() for _ in range(int(line[1:]))]
            asks_for_keys = words[0] == b"EVAL"
            self.wfile.write(self.server.reply if asks_for_keys else b"+OK\r\n")


def serve_node(reply):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Node)
    server.daemon_threads, server.reply = True, reply
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def ask_a_cluster():
    from lakekey.cache.stores.redis import RedisStore

    there = serve_node(b"*2\r\n$4\r\nbody\r\n:1000\r\n")
    here = serve_node(b"-ASK 1 127.0.0.1:%d\r\n" % there)
    assert RedisStore(f"redis://127.0.0.1:{here}/0").get("entry") == b"body"


# As Azure and Google give it to a machine, and what Google says of the machine's account.
TOKEN = {"access_token": "dose-of-token", "expires_in": 3600, "expires_on": "4102444800", "token_type": "Bearer"}
ACCOUNT = {"email": "machine@example.com", "scopes": []}


class Cloud(http.server.BaseHTTPRequestHandler):
    """AWS KMS, and what gives a machine its token at Azure and at Google."""

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        wrapped = {"CiphertextBlob": base64.b64encode(b"wrapped").decode()}
        body = json.dumps(wrapped if self.command == "POST" else {**TOKEN, **ACCOUNT}).encode()
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 - as http.server calls them

    def log_message(self, *_):
        pass


def ask_the_clouds():
    from lakekey.cache.keys.kms.aws import AwsKms
    from lakekey.cache.keys.kms.azure import AzureKeyVault
    from lakekey.cache.keys.kms.gcp import GoogleCloudKms

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    os.environ.update(AWS_ENDPOINT_URL_KMS=url, AWS_ACCESS_KEY_ID="an-id", AWS_SECRET_ACCESS_KEY="dose-of-secret")
    os.environ.update(IDENTITY_ENDPOINT=f"{url}/identity", IDENTITY_HEADER="a-header")
    os.environ.update(
        GCE_METADATA_HOST=f"127.0.0.1:{server.server_port}", GCE_METADATA_IP=f"127.0.0.1:{server.server_port}"
    )
    assert AwsKms("arn:aws:kms:eu-west-1:1:key/k", os.environ).wrap(bytes(32), "cache") == b"wrapped"
    assert AzureKeyVault("https://v.vault.azure.net/keys/k/1", os.environ)._token() == "dose-of-token"
    key = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
    assert GoogleCloudKms(key, os.environ)._token() == "dose-of-token"


def ask_a_database_that_is_away():
    from lakekey.cache.stores.postgresql import PostgresqlStore
    from lakekey.errors import StoreUnavailable

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        try:
            PostgresqlStore(f"postgresql://me@127.0.0.1:{taken.getsockname()[1]}/db?connect_timeout=2").get("entry")
        except StoreUnavailable as error:
            assert "refused" in str(error)
        else:
            raise AssertionError("a database that is away answered")


def show_a_portal():
    import uvicorn

    import lakekey.web

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        portal = lakekey.web.Portal(["prod"], url=url, user=lambda _: "ada@example.com")
        server = uvicorn.Server(uvicorn.Config(portal, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        end = time.monotonic() + 30
        while not server.started and time.monotonic() < end:
            time.sleep(0.05)
        with urllib.request.urlopen(url, timeout=30) as page:
            assert b"ada@example.com" in page.read()
        server.should_exit = True
        thread.join(30)


def main():
    from lakekey.sandbox import Sandbox

    with Sandbox() as box, tempfile.TemporaryDirectory() as home:
        os.environ.update(environment(box, home))
        use(box)
        show_a_portal()
    ask_a_cluster()
    ask_a_database_that_is_away()
    ask_the_clouds()
    names = (
        "authlib",
        "azure-identity",
        "botocore",
        "cryptography",
        "databricks-sdk",
        "databricks-sql-connector",
        "duckdb",
        "flask",
        "google-auth",
        "joserfc",
        "psycopg",
        "redis",
        "starlette",
        "uvicorn",
    )
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))


if __name__ == "__main__":
    main()
