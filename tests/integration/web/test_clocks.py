"""Hosts whose clocks and time zones differ tell the same of the same connections."""

import glob
import json
import os
import time
from datetime import datetime

import pytest

from lakekey.session.session import Session
from lakekey.web import User
from lakekey.web.sign_in import hosted_target
from support.servers.redis import Redis
from support.web_workers import workers

from .conftest import ADA, KEY, URL

FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)
pytestmark = pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")


@pytest.fixture
def shared_store(place, monkeypatch):
    """A store that hosts share, with the app in it."""
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "env")
    monkeypatch.setenv("LAKEKEY_KEY", KEY)
    with Redis() as server:
        monkeypatch.setenv("LAKEKEY_STORE", server.address)
        place.register(absolute_session_lifetime_in_minutes=24 * 60)
        yield server


def test_b53_hosts_with_clocks_ten_minutes_off_tell_the_same_states_and_dates(shared_store, place, tmp_path):
    def host(number):
        return {
            "HOME": str(tmp_path / f"host-{number}"),
            "LAKEKEY_CACHE_DIR": str(tmp_path / f"cache-{number}"),
            "LD_PRELOAD": FAKETIME,
            "FAKETIME": ("+10m", "-10m")[number],
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": ("Asia/Tokyo", "America/New_York")[number],
        }

    with workers(tmp_path, URL, environ_of=host) as ((_, fast), (_, slow)):
        for begins, ends in ((fast, slow), (slow, fast)):
            ada = place.browser(begins, ADA)
            button = next(each for each in ada.get().buttons if each in ("Connect prod", "Renew prod now"))
            answer = ada.back(ada.leave(button))
            ada.address = ends
            onward = ada.request("GET", answer).onward
            assert f"prod is connected as {ADA}." in ada.request("GET", onward).words
            entry = Session(hosted_target("prod", User(ADA), os.environ)).peek()
            left = entry.expires_at - time.time()
            assert 3500 < left < 3610  # by a correct clock, an hour from now
            assert abs(entry.logged_in_at - time.time()) < 120
            shown = []
            for address in (fast, slow):
                ada.address = address
                shown.append(json.loads(ada.get("/connections").text)["connections"])
                assert "Ends in 1 day" in ada.get().words
            for name in ("connected_at", "ends_at"):
                first, second = (_seconds(each[0].pop(name)) for each in shown)
                assert abs(first - second) <= 2  # how exactly two hosts know the store's time
            assert shown[0] == shown[1]


def _seconds(text):
    assert text.endswith("+00:00")
    return datetime.fromisoformat(text).timestamp()
