"""Leases: who has one for sure, who takes whose over, and what becomes of those that cannot be released."""

import os
import socket

import pytest

from lakekey.cache.stores import lease, process_mark
from lakekey.cache.stores.lease import Leases, holder_here
from lakekey.cache.stores.store import reply_lost
from lakekey.errors import CacheError, StoreUnavailable
from support.lease_keeper import Clocks, Keeper

NAME, OTHER = "a" * 64, "b" * 64
DEAD, ALIVE = "d" * 32, "e" * 32


def nonce_of(mark):
    return bytes(16) + mark.encode()


@pytest.fixture
def clocks(monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(lease, "time", clocks)
    return clocks


@pytest.fixture
def unrenewed(monkeypatch):
    """No thread renews a lease."""
    monkeypatch.setattr(Leases, "_start", lambda *_: None)


@pytest.fixture(autouse=True)
def marks(monkeypatch):
    monkeypatch.setattr(process_mark, "mark_here", lambda: ALIVE)
    monkeypatch.setattr(process_mark, "is_dead", lambda mark: mark == DEAD)


def test_lease_is_held_for_the_block_and_released_behind_it():
    keeper = Keeper()
    leases = Leases(keeper)
    assert not leases.still_held(NAME)
    with leases.hold(NAME) as held:
        assert held is True
        assert leases.still_held(NAME)
        assert not leases.still_held(OTHER)
        assert leases.holder(NAME) == "another host"
        assert keeper.held[NAME][16:] == ALIVE.encode()
    assert not leases.still_held(NAME)
    assert (keeper.held, leases.holder(NAME)) == ({}, None)


def test_lease_of_another_is_not_taken_and_not_released():
    keeper = Keeper()
    keeper.held[NAME] = nonce_of(ALIVE)
    leases = Leases(keeper)
    with leases.hold(NAME) as held:
        assert held is False
        assert not leases.still_held(NAME)
    assert [call[0] for call in keeper.calls] == ["take"]
    assert not leases.is_abandoned(NAME)


def test_second_thread_does_not_get_what_this_process_holds():
    keeper = Keeper()
    leases = Leases(keeper)
    with leases.hold(NAME):
        with leases.hold(NAME) as held:
            assert held is False
        assert leases.still_held(NAME)
        assert [call[0] for call in keeper.calls] == ["take"]
    assert keeper.held == {}


def test_lease_of_a_process_that_is_dead_is_taken_over_by_its_name():
    keeper = Keeper()
    keeper.held[NAME] = nonce_of(DEAD)
    with Leases(keeper).hold(NAME) as held:
        assert held is True
    assert [call[1] for call in keeper.calls[:2]] == [b"", nonce_of(DEAD)]


def test_lease_whose_holder_dies_while_it_is_waited_for_is_abandoned(monkeypatch):
    keeper = Keeper()
    keeper.held[NAME] = nonce_of("f" * 32)
    leases = Leases(keeper)
    with leases.hold(NAME) as held:
        assert not held
    assert not leases.is_abandoned(NAME)
    monkeypatch.setattr(process_mark, "is_dead", lambda mark: mark == "f" * 32)
    assert leases.is_abandoned(NAME)
    assert not leases.is_abandoned(OTHER)
    with leases.hold(NAME) as held:
        assert held
        assert not leases.is_abandoned(NAME)


def test_marks_of_others_that_are_remembered_stay_bounded(monkeypatch):
    monkeypatch.setattr(lease, "_AT_ONCE", 3)
    keeper = Keeper()
    leases = Leases(keeper)
    for number in range(5):
        keeper.held[str(number)] = nonce_of("f" * 32)
        with leases.hold(str(number)):
            pass
        assert 0 < len(leases._others) <= 3
    monkeypatch.setattr(process_mark, "is_dead", lambda mark: mark == "f" * 32)
    assert [leases.is_abandoned(str(number)) for number in range(5)] == [False, False, False, True, True]


@pytest.mark.usefixtures("unrenewed")
@pytest.mark.parametrize("only_wall", [False, True], ids=["time passes", "the machine sleeps"])
def test_lease_is_ours_for_sure_until_its_time_by_both_clocks(clocks, only_wall):
    leases = Leases(Keeper())
    with leases.hold(NAME):
        clocks.goes_on(9.9, only_wall=only_wall)
        assert leases.still_held(NAME)
        clocks.goes_on(0.2, only_wall=only_wall)
        assert not leases.still_held(NAME)


@pytest.mark.usefixtures("unrenewed")
def test_lease_ends_by_the_monotonic_clock_although_the_wall_clock_was_set_back(clocks):
    leases = Leases(Keeper())
    with leases.hold(NAME):
        clocks.goes_on(10.1)
        clocks.wall -= 3600.0
        assert not leases.still_held(NAME)


@pytest.mark.usefixtures("unrenewed")
@pytest.mark.parametrize(("slow", "held", "renewed"), [(9.0, True, 0), (11.0, True, 1)])
def test_answer_that_was_slower_than_the_lease_is_renewed_once(clocks, slow, held, renewed):
    keeper = Keeper(clocks, slow)
    leases = Leases(keeper)
    with leases.hold(NAME) as good:
        assert good is held
        assert sum(call[0] == "renew" for call in keeper.calls) == renewed
        clocks.goes_on(10.0 - slow - 0.1 if not renewed else 9.9)  # counted from before the store was asked
        assert leases.still_held(NAME)
        clocks.goes_on(0.2)
        assert not leases.still_held(NAME)


@pytest.mark.usefixtures("unrenewed")
def test_lease_that_ended_before_its_answer_came_and_is_another_ones_is_not_ours(clocks):
    keeper = Keeper(clocks, slow=11.0)
    keeper.ours = False
    leases = Leases(keeper)
    with leases.hold(NAME) as good:
        assert good is False
        assert not leases.still_held(NAME)
    assert keeper.calls[-1][0] == "release"  # it may be ours in the store


@pytest.mark.usefixtures("unrenewed")
def test_takeover_counts_from_before_its_own_question(clocks):
    keeper = Keeper(clocks, slow=6.0)
    keeper.held[NAME] = nonce_of(DEAD)
    leases = Leases(keeper)
    with leases.hold(NAME) as good:
        assert good
        assert not [call for call in keeper.calls if call[0] == "renew"]
        clocks.goes_on(3.9)
        assert leases.still_held(NAME)


@pytest.mark.usefixtures("unrenewed")
def test_lease_that_could_not_be_released_is_taken_instead_of_itself():
    keeper = Keeper()
    leases = Leases(keeper)
    with leases.hold(NAME):
        first = keeper.held[NAME]
        keeper.trouble = CacheError("the store is away")
    keeper.trouble = None
    assert keeper.held[NAME] == first
    with leases.hold(NAME) as held:
        assert held
    with leases.hold(NAME) as held:
        assert held
    assert [call[1] for call in keeper.calls if call[0] == "take"] == [b"", first, b""]


@pytest.mark.usefixtures("unrenewed")
def test_leases_that_could_not_be_released_are_remembered_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(lease, "_AT_ONCE", 3)
    keeper = Keeper()
    leases = Leases(keeper)
    for number in range(5):
        with leases.hold(str(number)):
            keeper.trouble = CacheError("the store is away")
        keeper.trouble = None
        assert str(number) in leases._left_behind
        assert len(leases._left_behind) <= 3
    assert set(leases._left_behind) == {"3", "4"}


class LosesReplies(Keeper):
    """A store that gives a lease, and whose replies to that are lost.

    Attributes:
        lost: The error of the next replies to a take, the first one first; ``None`` for one that comes.
    """

    def __init__(self, *lost, clocks=None, slow=0.0):
        super().__init__(clocks, slow)
        self.lost = list(lost)

    def take(self, name, nonce, *given, **more):
        whose = super().take(name, nonce, *given, **more)
        if self.lost and (error := self.lost.pop(0)) is not None:
            raise error
        return whose


def verbs(keeper):
    return [call[0] for call in keeper.calls]


def refused_after_a_doubt():
    error = CacheError("the store denies access now, and did not answer before")
    error.in_doubt = True
    return error


@pytest.mark.parametrize("error", [reply_lost("the store did not answer"), refused_after_a_doubt()])
def test_lease_whose_taking_is_in_doubt_is_given_back_at_once(error):
    keeper = LosesReplies(error)
    leases = Leases(keeper)
    with pytest.raises(CacheError, match="did not answer"), leases.hold(NAME):
        pytest.fail("nothing is held")
    assert (verbs(keeper), keeper.held) == (["take", "release"], {})
    assert not leases.still_held(NAME)


def test_lease_of_another_outlasts_what_is_given_back_in_doubt():
    keeper = LosesReplies(reply_lost("the store did not answer"))
    keeper.held[NAME] = nonce_of(ALIVE)
    leases = Leases(keeper)
    with pytest.raises(StoreUnavailable), leases.hold(NAME):
        pytest.fail("nothing is held")
    assert keeper.held == {NAME: nonce_of(ALIVE)}
    with leases.hold(NAME) as held:
        assert not held
    assert keeper.held == {NAME: nonce_of(ALIVE)}


def test_store_that_has_refused_a_lease_is_not_asked_for_it_again():
    keeper = LosesReplies(StoreUnavailable("the store cannot be reached"), CacheError("the store denies access"))
    leases = Leases(keeper)
    for _ in range(2):
        with pytest.raises(CacheError), leases.hold(NAME):
            pytest.fail("nothing is held")
    assert verbs(keeper) == ["take", "take"]
    assert not leases._left_behind


@pytest.mark.usefixtures("unrenewed")
@pytest.mark.parametrize("there", [0, 1, 2])
def test_each_lease_that_could_not_be_given_back_is_taken_instead_of_itself(there):
    keeper = LosesReplies(None, reply_lost("lost"), reply_lost("lost"))
    leases = Leases(keeper)
    with leases.hold(NAME):
        keeper.trouble = CacheError("the store is away")
    for _ in range(2):
        with pytest.raises(StoreUnavailable), leases.hold(NAME):
            pytest.fail("nothing is held")
    keeper.trouble = None
    nonces = leases._left_behind[NAME]
    assert len(set(nonces)) == 3
    keeper.held[NAME] = nonces[there]
    with leases.hold(NAME) as held:
        assert held
    assert (keeper.held, leases._left_behind) == ({}, {})


def test_lease_that_another_thread_leaves_behind_meanwhile_is_remembered():
    class Slow(Keeper):
        def take(self, name, *given, **more):
            leases._leave_behind(others)
            return super().take(name, *given, **more)

    keeper, others = Slow(), lease._Lease(NAME)
    keeper.held[NAME] = others.nonce
    leases = Leases(keeper)
    with leases.hold(NAME) as held:
        assert not held
    assert leases._left_behind == {NAME: (others.nonce,)}


def test_leases_in_doubt_of_one_name_stay_bounded(monkeypatch):
    monkeypatch.setattr(lease, "_OF_ONE", 2)
    keeper = LosesReplies(*[reply_lost("lost")] * 4)
    keeper.trouble = CacheError("the store is away")
    leases = Leases(keeper)
    for _ in range(4):
        with pytest.raises(StoreUnavailable), leases.hold(NAME):
            pytest.fail("nothing is held")
    assert len(leases._left_behind[NAME]) == 2
    assert leases._left_behind[NAME][-1] == keeper.held[NAME]


@pytest.mark.usefixtures("unrenewed")
def test_lease_in_doubt_that_has_ended_by_itself_is_not_waited_for_again(clocks):
    keeper = LosesReplies(reply_lost("lost"), clocks=clocks, slow=10.5)
    leases = Leases(keeper)
    with pytest.raises(StoreUnavailable), leases.hold(NAME):
        pytest.fail("nothing is held")
    assert verbs(keeper) == ["take"]
    with leases.hold(NAME) as held:
        assert held


@pytest.mark.usefixtures("unrenewed")
def test_lease_whose_taking_is_interrupted_is_this_process_own_afterwards():
    keeper = LosesReplies(KeyboardInterrupt())
    leases = Leases(keeper)
    with pytest.raises(KeyboardInterrupt), leases.hold(NAME):
        pytest.fail("nothing is held")
    assert verbs(keeper) == ["take"]  # nothing more is sent: it is to end at once
    with leases.hold(NAME) as held:
        assert held


def test_store_that_is_away_names_no_holder_and_gives_no_lease():
    class Away(Keeper):
        def take(self, *_, **__):
            raise self.trouble

    keeper = Away()
    keeper.trouble = CacheError("the store is away")
    leases = Leases(keeper)
    assert leases.holder(NAME) is None
    with pytest.raises(CacheError, match="the store is away"), leases.hold(NAME):
        raise AssertionError("nothing was taken")
    assert not leases.still_held(NAME)
    assert keeper.calls == []


def test_forked_child_does_not_have_its_parents_lease(monkeypatch):
    keeper = Keeper()
    leases = Leases(keeper)
    parent = os.getpid()
    with leases.hold(NAME):
        monkeypatch.setattr(lease.os, "getpid", lambda: parent + 1)
        assert not leases.still_held(NAME)
        keeper.held.clear()  # which has ended by then
        with leases.hold(NAME) as held:
            assert held
            assert leases.still_held(NAME)
    assert [call[0] for call in keeper.calls if call[0] != "renew"] == ["take", "take", "release"]


def test_holder_is_named_by_its_host_and_process():
    assert holder_here() == f"host {socket.gethostname()}, process {os.getpid()}"
