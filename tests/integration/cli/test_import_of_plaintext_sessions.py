"""Sessions that databricks-sdk and the Databricks CLI keep in plain text are taken over, and deleted when asked."""

import datetime as dt
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from databricks.sdk import oauth

from lakekey.cache.client_secrets import secret_id
from lakekey.cache.entry import Entry, entry_id
from lakekey.cache.opening import open_cache
from lakekey.cache.stores.file import FileStore
from lakekey.cli import main
from lakekey.configuration.target import resolve
from lakekey.providers.notebook import profiles

HOST = "https://dev.cloud.databricks.com"
OTHER = "https://other.cloud.databricks.com"
SECRETS = ("sdk-access", "sdk-refresh", "cli-access", "cli-refresh")
SOON = dt.datetime.now(dt.UTC) + dt.timedelta(hours=12)  # after the last of a slow run's tests


@pytest.fixture
def home(bare_machine):
    (bare_machine / ".databrickscfg").write_text(
        f"[dev]\nhost = {HOST}/\n\n"
        f"[narrow]\nhost = {HOST}\nscopes = sql\n\n"
        f"[named]\nhost = {HOST}\nuser = ada@example.com\n\n"
        f"[robot]\nhost = {HOST}\nclient_id = robot\nclient_secret = secret\n\n"
        f"[cli]\nhost = {OTHER}\nauth_type = databricks-cli\n"
    )
    return bare_machine


def write_sdk_session(profile="dev", scopes=("all-apis",), host=HOST, client="databricks-cli", **token):
    """Written by the SDK's own code."""
    endpoints = oauth.OidcEndpoints(f"{host}/authorize", f"{host}/token")
    cache = oauth.TokenCache(host, endpoints, client, scopes=[*scopes, "offline_access"], profile=profile)
    expiry = SOON.astimezone().replace(tzinfo=None)
    fields = {"access_token": "sdk-access", "token_type": "Bearer", "refresh_token": "sdk-refresh", **token}
    cache.save(oauth.SessionCredentials(oauth.Token(expiry=expiry, **fields), f"{host}/token", client))
    return cache.filename


def write_cli_sessions(home, **tokens):
    path = home / ".databricks" / "token-cache.json"
    path.parent.mkdir(exist_ok=True)
    base = {"access_token": "cli-access", "token_type": "Bearer", "refresh_token": "cli-refresh"}
    path.write_text(json.dumps({
        "version": 1,
        "tokens": {key: {**base, "expiry": SOON.isoformat().replace("+00:00", "123Z"), **token} for key, token in tokens.items()},
    }))  # fmt: skip
    return path


class Done(NamedTuple):
    returncode: int
    stdout: str


@pytest.fixture
def lakekey(capsys):
    def run(*arguments):
        status = main(arguments)
        printed = capsys.readouterr()
        assert not [secret for secret in SECRETS if secret in printed.out + printed.err]
        return Done(status, printed.out)

    return run


@pytest.fixture
def imported(lakekey):
    def run(*arguments):
        done = lakekey("import", "--json", *arguments)
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout)

    return run


def entry(profile, **settings):
    return open_cache().get(entry_id(resolve(profile, **settings).cache_key_fields()))


def test_a_session_of_the_sdk_is_taken_over_with_its_expiry_in_local_time(home, imported, monkeypatch):
    path = write_sdk_session()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        in_tokyo = SOON.astimezone(dt.timezone(dt.timedelta(hours=9))).replace(tzinfo=None)
        with open(path, "r+") as file:
            content = json.load(file)
            content["token"]["expiry"] = in_tokyo.isoformat()
            file.seek(0)
            json.dump(content, file)
            file.truncate()
        facts = imported()
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert [(one["profile"], one["taken_over"], one["from"]) for one in facts["sessions"]] == [
        ("dev", True, [{"tool": "databricks-sdk", "path": path}])
    ]
    taken = entry("dev")
    assert (taken.access_token, taken.refresh_token) == ("sdk-access", "sdk-refresh")
    assert abs(taken.expires_at - SOON.timestamp()) < 1
    assert os.path.exists(path)


def test_a_token_that_was_taken_over_serves_while_it_lives(home, imported, lakekey):
    write_sdk_session()
    imported()
    assert "signed in" in lakekey("status", "dev").stdout


@pytest.mark.parametrize("key", ["dev", HOST, HOST + "/"])
def test_a_session_of_the_cli_is_found_by_profile_or_host(home, key, imported):
    write_cli_sessions(home, **{key: {}})
    assert [(one["profile"], one["host"]) for one in imported("dev")["sessions"]] == [("dev", HOST)]
    taken = entry("dev")
    assert (taken.access_token, taken.refresh_token) == ("cli-access", "cli-refresh")
    assert abs(taken.expires_at - SOON.timestamp()) < 1


def test_hosts_and_accounts_without_a_profile_are_taken_over_too(home, imported):
    account = "https://accounts.cloud.databricks.com"
    unnamed = "https://unnamed.cloud.databricks.com"
    write_cli_sessions(home, **{unnamed: {}, f"{account}/oidc/accounts/4711": {"access_token": "cli-access-2"}})
    assert {one["host"] for one in imported()["sessions"]} == {unnamed, account}
    assert entry(None, host=unnamed).access_token == "cli-access"
    assert entry(None, host=account, account_id="4711").access_token == "cli-access-2"


def test_a_profile_that_the_cli_signs_in_is_a_persons(home, imported):
    write_cli_sessions(home, cli={})
    assert [one["profile"] for one in imported()["sessions"]] == ["cli"]
    assert entry(None, host=OTHER).refresh_token == "cli-refresh"


def test_nothing_is_taken_over_for_other_scopes_another_client_a_named_user_or_a_service_principal(home, imported):
    write_sdk_session(profile="narrow")
    write_sdk_session(profile="dev", client="another-app")
    write_cli_sessions(home, narrow={}, named={}, robot={})
    assert imported()["sessions"] == []
    assert open_cache().list() == []


def test_the_sessions_scopes_are_part_of_what_has_to_match(home, imported):
    write_sdk_session(profile="narrow", scopes=("sql",))
    assert [one["profile"] for one in imported()["sessions"]] == ["narrow"]


def test_of_two_sessions_for_one_profile_the_one_that_lives_longer_is_taken(home, imported):
    write_sdk_session()
    write_cli_sessions(home, dev={"expiry": (SOON + dt.timedelta(minutes=5)).isoformat()})
    assert len(imported()["sessions"][0]["from"]) == 2
    assert entry("dev").access_token == "cli-access"


def test_a_session_of_our_own_is_not_replaced(home, imported):
    ours = Entry({}, generation=3, refresh_token="ours")
    assert open_cache().put(entry_id(resolve("dev").cache_key_fields()), ours, replaces=None)
    write_sdk_session()
    assert [one["taken_over"] for one in imported()["sessions"]] == [False]
    assert entry("dev").refresh_token == "ours"


def test_delete_removes_what_was_taken_over_and_nothing_else(home, imported):
    taken, foreign = write_sdk_session(), write_sdk_session(profile="elsewhere", host=OTHER)
    cli = write_cli_sessions(home, dev={}, stranger={})
    facts = imported("--delete")
    assert facts["deleted"] == sorted([taken, str(cli)])
    assert not os.path.exists(taken)
    assert os.path.exists(foreign)
    assert list(json.loads(cli.read_text())["tokens"]) == ["stranger"]
    assert cli.stat().st_mode & 0o777 == 0o600
    assert entry("dev").refresh_token in ("cli-refresh", "sdk-refresh")


def test_delete_removes_a_file_that_held_nothing_else_also_after_an_earlier_import(home, imported, lakekey):
    cli = write_cli_sessions(home, dev={})
    said = lakekey("import").stdout
    assert "lakekey import --delete" in said
    assert imported("--delete")["deleted"] == [str(cli)]
    assert not cli.exists()


@pytest.mark.parametrize("others", [{}, {"https://elsewhere.cloud.databricks.com": {}}])
def test_delete_removes_the_plain_text_and_not_a_link_to_it(home, imported, others):
    kept = {"sdk": home / "kept.json", "cli": home / "token-cache.json"}
    for tool, path in (
        ("sdk", Path(write_sdk_session())),
        ("cli", write_cli_sessions(home, **{HOST: {}}, **others)),
    ):
        path.rename(kept[tool])
        path.symlink_to(kept[tool])
    assert len(imported("dev", "--delete")["deleted"]) == 2
    assert not kept["sdk"].exists()
    assert not kept["cli"].exists() or HOST not in kept["cli"].read_text()
    assert kept["cli"].exists() is bool(others)


@pytest.mark.parametrize("content", [
    "", "[]", "{", '{"version":2,"tokens":{"dev":{"access_token":"x","refresh_token":"y"}}}', '{"version":1,"tokens":[]}',
    '{"version":1,"tokens":{"dev":"x"}}', '{"version":1,"tokens":{"dev":{"access_token":1,"refresh_token":"y"}}}',
    '{"version":1,"tokens":{"dev":{"access_token":"x","token_type":"mac","refresh_token":"y"}}}',
    '{"version":1,"tokens":{"dev":{"access_token":"x","expiry":"2001-01-01T00:00:00Z"}}}',
])  # fmt: skip
def test_files_with_anything_else_in_them_are_left_alone(home, content, imported):
    path = write_cli_sessions(home)
    path.write_text(content)
    assert imported("--delete") == {"sessions": [], "deleted": []}
    assert path.read_text() == content


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")
def test_session_of_another_person_is_not_taken(home, imported):
    os.chown(write_sdk_session(), 54321, 54321)
    assert imported()["sessions"] == []


@pytest.mark.parametrize("what", ["file", "directory"])
def test_session_that_other_users_can_write_to_is_not_taken(home, imported, what):
    path = write_sdk_session()
    os.chmod(path if what == "file" else os.path.dirname(path), 0o777)
    assert imported()["sessions"] == []


@pytest.mark.parametrize("expiry", ["9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59", "0001-01-01T00:00:00+00:00"])
def test_imported_expiry_is_bounded_like_a_servers(home, imported, lakekey, expiry):
    write_cli_sessions(home, dev={"expiry": expiry})
    assert imported()["sessions"][0]["taken_over"]
    name = entry_id(resolve("dev").cache_key_fields())
    assert 0 <= open_cache().get(name).expires_at <= time.time() + 86400
    assert lakekey("status").returncode == 0


def test_imported_token_that_could_smuggle_a_header_is_not_taken(home, imported):
    write_cli_sessions(home, dev={"access_token": "a\r\nX-Other: b"})
    assert imported()["sessions"] == []


def test_entry_with_a_date_beyond_the_calendar_spoils_no_list(home, lakekey):
    about = {"host": HOST, "auth_type": "external-browser"}
    for number, end in enumerate((1e18, 12.0)):
        entry = Entry(about, access_token="t", issued_at=1.0, expires_at=end, refresh_token="r", session_ends_at=end)
        open_cache().put(f"{number:064x}", entry, replaces=None)
    assert len(json.loads(lakekey("status", "--json").stdout)["sessions"]) == 2
    assert lakekey("status").returncode == 0


def with_a_secret_that_cannot_be_opened(home):
    """A profile with a cache of its own, whose key is lost."""
    place = home / "own"
    with open(home / ".databrickscfg", "a", encoding="utf-8") as file:
        file.write(f"\n[app]\nhost = {OTHER}\nclient_id = our-app\nstore = file:{place}\n")
    entry = Path(FileStore(str(place)).place(secret_id(OTHER, None, "our-app")))
    entry.parent.mkdir(parents=True)
    entry.write_bytes(b"sealed")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("https://accounts.cloud.databricks.com", "session of https://accounts.cloud.databricks.com is left out"),
        ("https://me:dose-of-pass@host.example.com", "session of host.example.com is left out"),
        ("https://x\0y", "is left out: host (argument) holds a line break"),
        ("https://[::1", "session of https://[::1 is left out"),
    ],
)
def test_key_of_the_cli_that_is_no_host_is_left_out_and_said(home, capsys, key, said):
    write_cli_sessions(home, **{key: {}, "https://one.cloud.databricks.com": {}})
    assert main(("import", "--json")) == 0
    printed = capsys.readouterr()
    assert [each["host"] for each in json.loads(printed.out)["sessions"]] == ["https://one.cloud.databricks.com"]
    assert said in " ".join(printed.err.split())
    assert "dose-of-pass" not in printed.err


def test_profile_whose_secret_cannot_be_opened_spoils_no_import(home, capsys):
    with_a_secret_that_cannot_be_opened(home)
    write_cli_sessions(home, dev={})
    assert main(("import", "--json")) == 0
    printed = capsys.readouterr()
    assert [each["profile"] for each in json.loads(printed.out)["sessions"]] == ["dev"]
    assert "profile app is left out" in printed.err
    assert main(("import", "app")) == 1


def test_profile_whose_secret_cannot_be_opened_spoils_no_list(home, capsys):
    with_a_secret_that_cannot_be_opened(home)
    assert main(("profiles", "--json")) == 0
    problems = {each["profile"]: each["problem"] for each in json.loads(capsys.readouterr().out)["profiles"]}
    assert problems.pop("app")
    assert {each.name for each in profiles() if each.problem} == {"app"}
    assert set(problems.values()) == {None}


def test_without_anything_to_take_over_it_says_so(home, lakekey):
    assert "No session" in lakekey("import").stdout


def test_a_profile_that_is_not_there_is_an_error(home, lakekey):
    assert lakekey("import", "nowhere").returncode == 2
