"""``lakekey store init|check|copy`` and ``doctor`` on a real server, as an administrator and a worker run them."""

import json
import re
import subprocess

import pytest

from lakekey.cache.opening import open_cache
from lakekey.cache.stores.postgresql import PostgresqlStore
from lakekey.cache.stores.postgresql_table import TABLE
from support.fleet import Fleet
from support.processes import LAKEKEY, lakekey
from support.servers.postgresql import OWNER, ROLE
from support.sessions import Machine


@pytest.fixture
def no_table(postgresql):
    postgresql.sql(f"ALTER TABLE {TABLE} RENAME TO elsewhere")
    yield
    postgresql.sql(f"DROP TABLE IF EXISTS {TABLE}")
    postgresql.sql(f"ALTER TABLE elsewhere RENAME TO {TABLE}")


@pytest.fixture
def host(oidc_server, tmp_path, postgresql, monkeypatch):
    host = Fleet(oidc_server, tmp_path, postgresql.address).host("a")
    host.enter(monkeypatch)
    return host


def test_init_makes_the_table_and_twice_does_no_harm(postgresql, no_table):
    socket = f"postgresql:///fleet?host={postgresql._root}&port={postgresql.port}&user={OWNER}"
    for _ in range(2):
        done = lakekey("store", "init", socket)
        assert done.returncode == 0, done.stderr
    postgresql.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {ROLE}")
    assert PostgresqlStore(postgresql.address).list() == []


def test_init_as_a_role_that_may_not_create_names_the_grant_that_helps(postgresql, no_table, host):
    refused = lakekey("store", "init")
    assert refused.returncode == 1
    said = " ".join(refused.stderr.split())
    assert f"does not let {ROLE} create the table" in said
    assert "lakekey store init --sql" in said
    (statement,) = re.findall(r"runs there: (.*?);", said)
    postgresql.sql(statement)
    try:
        done = lakekey("store", "init")
        assert done.returncode == 0, done.stderr
    finally:
        postgresql.sql(f"REVOKE CREATE ON SCHEMA public FROM {ROLE}")


@pytest.mark.parametrize(
    ("path", "made", "said"),
    [
        ('"$user"', None, f"begins with {ROLE}, which is not there"),
        ('"My app", public_2', None, 'begins with "My app", which is not there'),
        ('fleet_app, "$user"', "fleet_app", f"begins with fleet_app, which {ROLE} may not use"),
        ("''", None, "names none"),
    ],
    ids=["the user's", "not there", "not allowed", "none"],
)
def test_init_without_a_schema_to_create_in_names_it_and_the_statement_that_helps(
    postgresql, no_table, host, path, made, said
):
    postgresql.sql(f"ALTER ROLE {ROLE} SET search_path = {path}")
    if made:
        postgresql.sql(f"CREATE SCHEMA {made}")
    try:
        refused = " ".join(lakekey("store", "init").stderr.split())
        assert f"the search_path of {ROLE} {said}" in refused
        (statement,) = re.findall(r"runs there: (.*?);", refused)
        postgresql.sql(statement)
        if path == "''":
            postgresql.sql(f"GRANT CREATE ON SCHEMA public TO {ROLE}")
        done = lakekey("store", "init")
        assert done.returncode == 0, done.stderr
    finally:
        postgresql.sql(f"ALTER ROLE {ROLE} RESET search_path")
        postgresql.sql(f"REVOKE CREATE ON SCHEMA public FROM {ROLE}")
        for schema in (ROLE, '"My app"', "fleet_app"):
            postgresql.sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def test_init_as_a_worker_leaves_a_table_that_is_there_as_it_is(postgresql, host):
    done = lakekey("store", "init")
    assert done.returncode == 0, done.stderr


def test_init_sql_prints_what_makes_the_same_table(postgresql, no_table, host):
    done = lakekey("store", "init", "--sql")
    assert done.returncode == 0
    assert postgresql.password not in done.stdout
    postgresql.sql(done.stdout)
    assert postgresql.sql(f"SELECT body FROM {TABLE} WHERE kind = 'note'") == [(b"1",)]


def test_check_says_what_the_worker_may_and_what_the_server_promises(postgresql, host):
    done = lakekey("store", "check", "--json")
    assert done.returncode == 0, done.stdout
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    reach = checks.pop("reach")  # which a busy machine makes slow
    assert reach["status"] == "ok" or int(reach["finding"].split()[-2]) >= 1000
    assert {name: check["status"] for name, check in checks.items()} == {
        **dict.fromkeys(("clock", "writes", "encryption", "rights", "table", "entries", "key"), "ok"),
        "durability": "warning",
    }
    assert "fsync" in checks["durability"]["finding"]  # which the tests' server has switched off
    assert postgresql.password not in done.stdout


def test_check_fails_on_a_lacking_right_with_the_statement(postgresql, host):
    postgresql.sql(f"REVOKE UPDATE, DELETE ON {TABLE} FROM {ROLE}")
    try:
        done = lakekey("store", "check")
        assert done.returncode == 1
        assert f"GRANT DELETE, UPDATE ON lakekey_store TO {ROLE}" in re.sub(r"\s+", " ", done.stdout)
    finally:
        postgresql.sql(f"GRANT UPDATE, DELETE ON {TABLE} TO {ROLE}")


def test_check_without_a_shared_store_says_what_to_set():
    done = lakekey("store", "check")
    assert done.returncode == 2
    assert "LAKEKEY_STORE" in done.stderr


def test_password_on_the_command_line_is_refused():
    done = lakekey("store", "check", "postgresql://worker:dose-of-mine@127.0.0.1/fleet")
    assert done.returncode == 2
    assert "PGPASSWORD" in done.stderr
    assert "dose-of-mine" not in done.stderr


def test_doctor_looks_at_the_store(postgresql, host):
    host.sign_in(left=3000)
    report = json.loads(lakekey("doctor", "--json", "--host", host.server.host).stdout)
    checks = {check["name"]: check["status"] for check in report["checks"]}
    assert checks["store rights"] == "ok" and "store reach" in checks


def test_copy_moves_sessions_and_leaves_the_old_store_nothing_to_spend(oidc_server, tmp_path, postgresql, host):
    machine = Machine(oidc_server, tmp_path / "old")
    before = machine.sign_in(left=3000)
    environ = {"PGPASSWORD": postgresql.password, "LAKEKEY_CACHE_DIR": str(tmp_path / "old")}
    place = f"postgresql://{ROLE}@127.0.0.1:{postgresql.port}/fleet"
    done = subprocess.run(
        [LAKEKEY, "store", "copy", f"file:{tmp_path / 'old'}", place],
        capture_output=True, text=True, timeout=60, check=False,
        env={**host.environ, **environ, "LAKEKEY_KEY_SOURCE": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.stored().refresh_token == before.refresh_token
    left = open_cache({"LAKEKEY_KEY_SOURCE": "file"}, place=f"file:{tmp_path / 'old'}").get(machine.entry_id)
    assert (left.refresh_token, left.access_token) == ("", before.access_token)
    assert "was moved to postgresql://" in left.refused.message
