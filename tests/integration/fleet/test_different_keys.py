"""Hosts that were given different keys: told at the first write, by `lakekey store check` and by the doctor."""

import base64
import json
import os

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.keys.choice import NOTE as CHOICE
from lakekey.cache.keys.choice import KeyChoice
from lakekey.cache.keys.ring import key_id
from lakekey.cache.moving import move
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.cli import main
from lakekey.errors import KeyUnavailable
from lakekey.web.flows import Flow, FlowStore
from support.fleet import Fleet

pytestmark = pytest.mark.timeout(120)
FLOW = Flow(
    "state", "browser", "ada", "", "prod", "https://x", "", "client", "https://x/callback", "verifier", None, "https://x",
    iss_expected=False, return_to="", expires_at=2e9,
)  # fmt: skip


def id_of(key):
    return key_id(base64.b64decode(key)).hex()


def test_host_with_another_key_is_told_so_before_it_asks_for_a_token(oidc_server, tmp_path, server):
    fleet = Fleet(oidc_server, tmp_path, server.address, service=True)
    assert fleet.host("a").fresh_process()["ok"]
    stranger = fleet.host("b")
    stranger.key = base64.b64encode(os.urandom(32)).decode()
    oidc_server.reset()
    entry = stranger.entry_id
    server.store().delete(entry, replaces=server.store().get(entry))  # as for a sign-in that no host has made yet
    refused = stranger.fresh_process()
    assert refused["error"] == "KeyUnavailable"
    assert (
        f"is sealed under key {id_of(fleet.host('a').key)}, and LAKEKEY_KEY has {id_of(stranger.key)} only"
        in (refused["message"])
    )
    assert oidc_server.counters()["requests.token"] == 0
    assert fleet.host("a").key not in refused["message"]
    assert fleet.host("c").fresh_process()["ok"]


def test_key_that_is_changed_host_by_host_is_taken_everywhere_until_the_old_one_is_dropped(server):
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))

    def begins(key):
        with open_cache({**settings, "LAKEKEY_KEY": key}).lock("b" * 64) as held:
            return held

    settings = {"LAKEKEY_STORE": server.address, "LAKEKEY_KEY_SOURCE": "env"}
    assert open_cache({**settings, "LAKEKEY_KEY": old}).put("a" * 64, Entry({}, refresh_token="kept"), replaces=None)
    assert begins(f"{new} {old}") and begins(old)
    rotate(open_cache({**settings, "LAKEKEY_KEY": f"{new} {old}"}))
    assert begins(f"{new} {old}") and begins(new)
    with pytest.raises(
        KeyUnavailable, match=f"is sealed under key {id_of(new)}, and LAKEKEY_KEY has {id_of(old)} only"
    ):
        begins(old)


def test_key_that_is_given_behind_the_old_one_first_is_changed_without_an_error_on_any_host(server):
    old, new = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    settings = {"LAKEKEY_STORE": server.address, "LAKEKEY_KEY_SOURCE": "env"}

    def each_opens_what_the_other_writes(*keys):
        for mine, other in (keys, keys[::-1]):
            cache = open_cache({**settings, "LAKEKEY_KEY": mine})
            stored = cache.read("a" * 64)
            assert cache.put("a" * 64, Entry({}, refresh_token=mine), replaces=stored.envelope)
            assert open_cache({**settings, "LAKEKEY_KEY": other}).get("a" * 64).refresh_token == mine

    each_opens_what_the_other_writes(old, f"{old} {new}")
    each_opens_what_the_other_writes(f"{old} {new}", f"{new} {old}")
    rotate(open_cache({**settings, "LAKEKEY_KEY": f"{new} {old}"}))
    each_opens_what_the_other_writes(f"{new} {old}", new)
    with pytest.raises(KeyUnavailable):  # as the new one alone in front would be to a host that has not got it
        each_opens_what_the_other_writes(old, f"{new} {old}")


def test_check_and_doctor_tell_a_host_that_has_another_key(server, monkeypatch, capsys):
    mine, others = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    for name, value in {"LAKEKEY_STORE": server.address, "LAKEKEY_KEY_SOURCE": "env", "LAKEKEY_KEY": mine}.items():
        monkeypatch.setenv(name, value)
    assert open_cache().put("a" * 64, Entry({}, refresh_token="kept"), replaces=None)

    def key_check():
        main(["store", "check", "--json"])
        checks = json.loads(capsys.readouterr().out)["checks"]
        [here] = [check for check in checks if check["name"] == "key"]
        main(["doctor", "--json", "--host", "https://127.0.0.1:1"])
        checks = json.loads(capsys.readouterr().out)["checks"]
        assert [check["status"] for check in checks if check["name"] == "key"] == [here["status"]]
        return here

    assert key_check()["status"] == "ok"
    monkeypatch.setenv("LAKEKEY_KEY", others)
    failed = key_check()
    assert failed["status"] == "failed" and id_of(mine) in failed["finding"] and id_of(others) in failed["finding"]
    assert "give every host the same key" in failed["next_step"]
    server.store().write_note(CHOICE, KeyChoice("env", "an earlier release wrote it").to_bytes())
    failed = key_check()  # by what the entries name
    assert failed["finding"].startswith(f"1 of 1 entries are sealed under {id_of(mine)}")


def test_copy_into_a_store_of_another_key_moves_nothing(server, tmp_path, monkeypatch, capsys):
    fleets, mine = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    shared = {"LAKEKEY_STORE": server.address, "LAKEKEY_KEY_SOURCE": "env"}
    assert open_cache({**shared, "LAKEKEY_KEY": fleets}).put("a" * 64, Entry({}, refresh_token="theirs"), replaces=None)
    here = {"LAKEKEY_CACHE_DIR": str(tmp_path / "cache"), "LAKEKEY_KEY_SOURCE": "file"}
    assert open_cache(here).put("b" * 64, Entry({}, refresh_token="mine"), replaces=None)
    for name, value in {**here, "LAKEKEY_KEY_SOURCE": "", "LAKEKEY_KEY": mine}.items():
        monkeypatch.setenv(name, value)
    source, target = (open_cache(place=place, moving=True) for place in ("file:", server.address))
    with pytest.raises(KeyUnavailable, match=f"is sealed under key {id_of(fleets)}"):
        move(source, target)
    assert open_cache(here).get("b" * 64).refresh_token == "mine"
    assert list(server.entries()) == ["a" * 64]
    monkeypatch.setenv("LAKEKEY_KEY", fleets)
    assert move(open_cache(place="file:", moving=True), open_cache(place=server.address, moving=True)).left == ()
    assert open_cache({**shared, "LAKEKEY_KEY": fleets}).get("b" * 64).refresh_token == "mine"


def test_portal_on_a_host_with_another_key_begins_no_sign_in(server):
    fleets, mine = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    shared = {"LAKEKEY_STORE": server.address, "LAKEKEY_KEY_SOURCE": "env"}
    FlowStore(open_cache({**shared, "LAKEKEY_KEY": fleets})).add(FLOW)
    before = server.entries()
    with pytest.raises(KeyUnavailable, match=f"is sealed under key {id_of(fleets)}"):
        FlowStore(open_cache({**shared, "LAKEKEY_KEY": mine})).add(FLOW._replace(user="grace", state="another"))
    assert server.entries() == before
