"""What has to work with any release of the dependencies: run by the interpreter of an environment that has them.

Imports nothing of the tests. A person and a service principal sign in to a sandbox; SQL, the SDK and the command line
use what they got. A store in Redis follows a cluster whose slots move.
"""

import importlib.metadata
import os
import socketserver
import subprocess
import sys
import tempfile
import threading


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


def main():
    from lakekey.sandbox import Sandbox

    with Sandbox() as box, tempfile.TemporaryDirectory() as home:
        os.environ.update(environment(box, home))
        use(box)
    ask_a_cluster()
    names = (
        "authlib",
        "cryptography",
        "databricks-sdk",
        "databricks-sql-connector",
        "duckdb",
        "flask",
        "joserfc",
        "redis",
    )
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))


if __name__ == "__main__":
    main()
