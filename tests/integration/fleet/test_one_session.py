"""A person's session on a store that hosts share: one exchange, and no second presentation of a single-use token."""

import signal

import pytest

from support.waiting import until

pytestmark = pytest.mark.timeout(180)
PATIENT = {"OUTCOME_AFTER": "50"}


def refreshes(server):
    return server.counters()["requests.token.refresh_token"]


def assert_all_is_well(host, server, *, requests=1):
    host.assert_session_is_whole()
    assert host.stored().spending is None
    assert refreshes(server) == requests
    assert server.counters()["grant.error.invalid_grant"] == 0


def test_a_host_renews_and_another_takes_the_result(fleet, signed_in, oidc_server, server):
    for name in ("a", "b"):
        assert fleet.host(name).fresh_process()["ok"]
    assert_all_is_well(signed_in, oidc_server)
    assert server.leases() == []


def test_f7_neither_the_holder_nor_one_that_waits_keeps_a_connection_open(fleet, signed_in, oidc_server, server):
    with oidc_server.hold() as hold, signed_in.started("asks_once") as holder:
        hold.wait()
        with fleet.host("b").started("queues") as other:
            other.until("queued")
            until(lambda: server.worker_connections() == 0)  # a poll, or a renewal of the lease, is over in a moment
            hold.release()
            assert holder.result()["ok"]
            assert other.result()["ok"]
    assert_all_is_well(signed_in, oidc_server)


def test_a4_holder_killed_before_the_intent_delays_the_next_by_the_lease(fleet, signed_in, oidc_server):
    with signed_in.hurried("pauses_at", "under the lock", "main") as holder:
        holder.until("at")
        holder.kill()
    with fleet.host("b").hurried("asks_once") as other:
        assert other.result()["ok"]
    assert_all_is_well(signed_in, oidc_server)


def test_a5_holder_killed_after_the_intent_is_settled_by_one_resend(fleet, signed_in, oidc_server):
    with signed_in.hurried("pauses_at", "intent written", "main") as holder:
        holder.until("at")
        assert signed_in.stored().spending is not None
        holder.kill()
    with fleet.host("b").hurried("asks_once") as other, fleet.host("c").hurried("asks_once") as third:
        assert other.result()["ok"]
        assert third.result()["ok"]
    assert_all_is_well(signed_in, oidc_server)


def test_a5_unsettled_refuse_never_sends_the_token_again(fleet, signed_in, oidc_server):
    with signed_in.hurried("pauses_at", "intent written", "main") as holder:
        holder.until("at")
        holder.kill()
    with fleet.host("b").hurried("asks_once", LAKEKEY_UNSETTLED="refuse") as other:
        ended = other.result()
    assert ended["error"] == "LoginRequired"
    assert "LAKEKEY_UNSETTLED" in ended["message"]
    assert refreshes(oidc_server) == 0


def test_a6_holder_killed_with_the_answer_ends_the_session_once(fleet, signed_in, oidc_server):
    with signed_in.hurried("pauses_at", "answer received", "main") as holder:
        holder.until("at")
        holder.kill()
    for name in ("b", "c"):
        with fleet.host(name).hurried("asks_once") as other:
            ended = other.result()
            assert ended["error"] == "LoginRequired"
            assert "session is over" in ended["message"]
    assert refreshes(oidc_server) == 2  # the one that was answered, and one attempt to save the session


def test_a6_second_holder_that_dies_as_well_leaves_nothing_to_send(fleet, signed_in, oidc_server):
    for name in ("a", "b"):
        with fleet.host(name).hurried("pauses_at", "intent written", "main") as holder:
            holder.until("at")
            holder.kill()
    with fleet.host("c").hurried("asks_once") as third:
        ended = third.result()
    assert ended["error"] == "LoginRequired"
    assert "the refresh token was sent twice" in ended["message"]
    assert refreshes(oidc_server) == 0
    assert signed_in.stored().refresh_token == ""


def test_a7_holder_frozen_before_it_sends_notices_the_lost_lease(fleet, signed_in, oidc_server):
    with signed_in.hurried("pauses_at", "intent written", "main") as holder:
        holder.until("at")
        holder.signal(signal.SIGSTOP)
        with fleet.host("b").hurried("asks_once") as other:
            assert other.result()["ok"]
        holder.signal(signal.SIGCONT)
        holder.go_on()
        assert holder.result()["ok"]  # by the other's token
    assert_all_is_well(signed_in, oidc_server)


def test_a8_frozen_holder_that_thaws_with_the_answer_keeps_the_session(fleet, signed_in, oidc_server):
    with oidc_server.hold() as hold, signed_in.hurried("pauses_at", "nowhere", "main", **PATIENT) as holder:
        hold.wait()
        holder.signal(signal.SIGSTOP)
        hold.release()
        oidc_server.settle()
        with fleet.host("b").hurried("queues", **PATIENT) as other:
            other.until("queued")
            with pytest.raises(TimeoutError):  # longer than the lease lasts
                other.next(timeout=2.0)
            holder.signal(signal.SIGCONT)
            assert holder.result()["ok"]
            assert other.result()["ok"]
    assert_all_is_well(signed_in, oidc_server)


def test_a8_frozen_holder_that_thaws_without_an_answer_leaves_the_token_to_one_more_sending(
    fleet, signed_in, oidc_server
):
    with oidc_server.hold() as hold, signed_in.hurried("pauses_at", "nowhere", "main", **PATIENT) as holder:
        hold.wait()
        holder.signal(signal.SIGSTOP)
        hold.release(drop=True)  # before the server has seen it
        with fleet.host("b").hurried("queues", **PATIENT) as other:
            other.until("queued")
            with pytest.raises(TimeoutError):  # the holder may have an answer
                other.next(timeout=2.0)
            holder.signal(signal.SIGCONT)  # it has none, and says so in the entry
            assert other.result()["error"] == "TokenEndpointError"
        assert holder.result()["error"] == "TokenEndpointError"
    with fleet.host("c").hurried("asks_once", **PATIENT) as next_one:  # it need not wait
        assert next_one.result()["ok"]
    assert_all_is_well(signed_in, oidc_server, requests=2)


def test_a8_late_answer_for_a_reusable_token_is_harmless(fleet, signed_in, oidc_server):
    oidc_server.set_rotation(False)
    assert fleet.host("z").fresh_process()["ok"]  # from which it is known that the token is not rotated
    entry = signed_in.stored()
    assert entry.rotates is False
    signed_in.store(
        left=-60, access_token="old", refresh_token=entry.refresh_token, rotates=False, identity=entry.identity
    )
    oidc_server.reset()
    oidc_server.set_rotation(False)
    with oidc_server.hold() as hold, signed_in.hurried("pauses_at", "nowhere", "main") as holder:
        hold.wait()
        holder.signal(signal.SIGSTOP)
        hold.release()
        oidc_server.settle()
        with fleet.host("b").hurried("asks_once") as other:
            assert other.result()["ok"]
        holder.signal(signal.SIGCONT)
        assert holder.result()["ok"]
    assert signed_in.stored().refresh_token == entry.refresh_token
    assert signed_in.stored().spending is None
    assert refreshes(oidc_server) == 2


def test_a29_endpoint_slower_than_the_lease_gets_one_request(fleet, signed_in, oidc_server):
    with oidc_server.hold() as hold, signed_in.hurried("asks_once", **PATIENT) as holder:
        hold.wait()
        with fleet.host("b").hurried("queues", **PATIENT) as other:
            other.until("queued")
            with pytest.raises(TimeoutError):  # twice as long as the lease lasts that is not renewed
                other.next(timeout=3.0)
            hold.release()
            assert holder.result()["ok"]
            assert other.result()["ok"]
    assert_all_is_well(signed_in, oidc_server)


def test_a12_endpoint_away_withdraws_the_intent_and_frees_the_lease(fleet, signed_in, oidc_server, server):
    with oidc_server.offline():
        assert signed_in.fresh_process()["error"] == "TokenEndpointError"
    assert signed_in.stored().spending is None
    assert server.leases() == []
    assert fleet.host("b").fresh_process()["ok"]
    assert_all_is_well(signed_in, oidc_server)
