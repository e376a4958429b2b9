"""The commands of the stores' pages run as they stand there, with the names of this machine's servers put in."""

import base64
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import redis as client

from lakekey.cache.stores.redis_address import address_of
from support.processes import LAKEKEY
from support.servers.postgresql import DATABASE, OWNER, ROLE, free_port
from support.waiting import until

ROOT = Path(__file__).parents[3]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
PASSWORD = "dose-of-a-page"


def blocks(page):
    return [text for _, text in FENCE.findall((ROOT / f"docs/guides/{page}.md").read_text(encoding="utf-8"))]


def without_pip(block, extra):
    """The block without its first line, which installs an extra that there is."""
    first, _, rest = block.partition("\n")
    assert first == f"pip install 'lakekey[{extra}]'"
    assert extra in EXTRAS
    return rest


def shell(script, environ):
    path = f"{os.path.dirname(LAKEKEY)}:{environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", script], env={**environ, "PATH": path}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def environ(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEKEY_")}
    return {**kept, "HOME": str(tmp_path)}


def test_the_commands_of_the_postgresql_page_set_a_store_up(postgresql, environ):
    here = f"127.0.0.1:{postgresql.port}/{DATABASE}"
    key = base64.b64encode(os.urandom(32)).decode()

    def as_here(text, password):
        text = re.sub(r"@db\.example\.com/lakekey", f"@{here}", text).replace("://worker@", "://pageworker@")
        return re.sub(r"PGPASSWORD=…", f"PGPASSWORD={password}", text).replace("LAKEKEY_KEY=…", f"LAKEKEY_KEY={key}")

    begin, settings, copy, role = blocks("postgresql")
    postgresql.sql(f"ALTER ROLE {OWNER} PASSWORD '{PASSWORD}'")
    postgresql.sql("ALTER TABLE lakekey_store RENAME TO elsewhere")
    try:
        assert "is ready" in shell(as_here(without_pip(begin, "postgresql"), PASSWORD), environ)
        assert ROLE in role
        postgresql.sql(role.replace(ROLE, "pageworker").replace("…", PASSWORD))
        said = shell(as_here(settings, PASSWORD), environ)
        assert "SELECT, INSERT, UPDATE and DELETE" in said
        exports = "\n".join(line for line in settings.splitlines() if line.startswith("export"))
        assert "0 entries moved" in shell(as_here(f"{exports}\n{copy}", PASSWORD), environ)
    finally:
        postgresql.sql("DROP TABLE IF EXISTS lakekey_store")
        postgresql.sql("ALTER TABLE elsewhere RENAME TO lakekey_store")
        postgresql.sql("DROP ROLE IF EXISTS pageworker")


def answers(asking):
    try:
        return asking.ping()
    except client.RedisError:
        return False


def test_the_commands_of_the_redis_page_set_a_store_up(environ, tmp_path):
    begin, settings, sentinels = blocks("redis")
    named = address_of(sentinels.strip().removeprefix("export LAKEKEY_STORE="))  # `test_sentinel.py` runs some
    assert named.sentinels == tuple((f"s{number}.example.com", 26379) for number in (1, 2, 3))
    assert (named.service, named.encrypted) == ("NAME", True)
    port = free_port()
    command = without_pip(begin, "redis").strip()
    arguments = f"--port {port} --bind 127.0.0.1 --dir {tmp_path} --save ''"
    server = subprocess.Popen(
        ["sh", "-c", f"exec {command} {arguments}"], env={**environ, "PASSWORD": PASSWORD}, stdout=subprocess.DEVNULL
    )
    try:
        with client.Redis(host="127.0.0.1", port=port, password=PASSWORD) as asking:
            until(lambda: answers(asking), pause=0.05)
        key = base64.b64encode(os.urandom(32)).decode()
        settings = settings.replace("rediss://:PASSWORD@cache.example.com/0", f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
        said = shell(settings.replace("LAKEKEY_KEY=…", f"LAKEKEY_KEY={key}"), environ)
        assert "append-only file" in said
        assert "failed" not in said
    finally:
        server.terminate()
        server.wait(60)


def test_the_address_with_sentinels_of_the_redis_page_is_one_that_the_store_takes():
    _, _, sentinels = blocks("redis")
    address = address_of(sentinels.partition("LAKEKEY_STORE=")[2].strip())
    assert [host for host, _ in address.sentinels] == [f"s{n}.example.com" for n in (1, 2, 3)]
    assert (address.service, address.database, address.encrypted) == ("NAME", 0, True)
