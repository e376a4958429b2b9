"""Leases are renewed while their holder works; what becomes of one that cannot be."""

import logging
import sys
from types import SimpleNamespace

import pytest

from lakekey.cache.stores import lease
from lakekey.cache.stores.lease import Leases
from lakekey.errors import CacheError
from support.lease_keeper import Clocks, Keeper

NAME = "a" * 64


@pytest.fixture
def clocks(monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(lease, "time", clocks)
    return clocks


def test_lease_is_renewed_every_third_of_it():
    keeper = Keeper()
    leases = Leases(keeper, 0.6)
    with leases.hold(NAME):
        keeper.wait_for("renew", 3)
    assert {call[1] for call in keeper.calls if call[0] == "renew"} == {keeper.calls[-1][1]}


def test_renewal_ends_with_the_block():
    leases = Leases(Keeper())
    with leases.hold(NAME):
        over = leases._held[NAME].over
        assert not over.acquire(blocking=False)
    assert over.acquire(timeout=30)  # which the thread waits for, and passes on


def test_renewal_waits_for_a_third_of_the_lease():
    waits = []

    class Over:
        def acquire(self, **how):
            waits.append(how)
            return True

    Leases(Keeper(), 9.0)._renew(SimpleNamespace(over=Over(), name=NAME))
    assert waits == [{"timeout": 3.0}]


def test_renewal_makes_the_lease_last_longer(clocks):
    keeper = Keeper()
    leases = Leases(keeper)
    turns = iter([False, True])
    with leases.hold(NAME):
        ours = leases._held[NAME]
        shown = SimpleNamespace(name=NAME, nonce=ours.nonce, lasts=ours.lasts)
        shown.over = SimpleNamespace(acquire=lambda **_: next(turns))
        clocks.goes_on(9.0)
        leases._renew(shown)
        clocks.goes_on(9.0)
        assert leases.still_held(NAME)
        clocks.goes_on(1.5)
        assert not leases.still_held(NAME)


@pytest.fixture
def renewed(monkeypatch, caplog):
    """Renews a lease in this thread, with an end after so many turns, and returns whether it is held after it."""
    caplog.set_level(logging.DEBUG, "lakekey")
    monkeypatch.setattr(Leases, "_start", lambda *_: None)

    def renewed(keeper, turns=1, *, released=False):
        leases = Leases(keeper)
        with leases.hold(NAME):
            ours = leases._held[NAME]
            left = iter([False] * turns + [True] * 9)

            def acquire(*, blocking=True, timeout=None):
                return released if not blocking else next(left)

            ours.over = SimpleNamespace(acquire=acquire, release=lambda: None)
            leases._renew(ours)
            return leases.still_held(NAME)

    return renewed


def test_renewal_that_fails_is_tried_again_in_the_next_third(renewed, caplog):
    keeper = Keeper()
    keeper.trouble = CacheError("the store is busy")
    assert renewed(keeper, turns=3)
    assert [call[0] for call in keeper.calls[:4]] == ["take", "renew", "renew", "renew"]
    assert caplog.text.count(f"the lease on {NAME[:12]} could not be renewed: the store is busy") == 3
    assert NAME[:13] not in caplog.text


def test_renewal_that_breaks_is_reported_once(renewed, caplog):
    class Broken(Keeper):
        def renew(self, *_):
            raise ZeroDivisionError

    assert renewed(Broken(), turns=3)
    assert caplog.text.count(f"the lease on {NAME[:12]} is not renewed: ZeroDivisionError") == 1
    assert NAME[:13] not in caplog.text


def test_lease_that_is_another_ones_now_is_lost_and_said_to_be(renewed, caplog):
    keeper = Keeper()
    keeper.ours = False
    assert renewed(keeper, turns=3) is False
    assert [call[0] for call in keeper.calls] == ["take", "renew", "release"]
    assert f"the lease on {NAME[:12]} was lost" in caplog.text
    assert NAME[:13] not in caplog.text


def test_lease_that_its_holder_has_just_released_is_not_said_to_be_lost(renewed, caplog):
    keeper = Keeper()
    keeper.ours = False
    renewed(keeper, turns=3, released=True)
    assert "was lost" not in caplog.text
    assert [call[0] for call in keeper.calls] == ["take", "renew", "release"]


def test_no_thread_is_started_as_the_interpreter_ends(monkeypatch):
    started = []
    monkeypatch.setattr(lease._thread, "start_new_thread", lambda *_: started.append(1))
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    with Leases(Keeper()).hold(NAME) as held:
        assert held
    assert started == []
    monkeypatch.setattr(sys, "is_finalizing", lambda: False)
    with Leases(Keeper()).hold(NAME) as held:
        assert held
    assert started == [1]


def test_lease_without_a_thread_lasts_as_long_as_it_lasts(monkeypatch):
    def no_thread(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(lease._thread, "start_new_thread", no_thread)
    leases = Leases(Keeper())
    with leases.hold(NAME) as held:
        assert held
        assert leases.still_held(NAME)
