"""RFC 6749 §6: rotation, and what reuse of a spent token brings."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lakekey.sandbox import Sandbox


def test_a_refresh_rotates_the_refresh_token(box, client):
    old = client.tokens()["refresh_token"]
    new = client.refresh(old).json()["refresh_token"]
    assert new != old
    assert box.stored_refresh_tokens("ada@example.com") == [new]
    assert box.counters["token.refresh_token"] == 1


def test_reuse_of_a_spent_refresh_token_revokes_the_family(box, client):
    first = client.tokens()
    second = client.refresh(first["refresh_token"]).json()
    reuse = client.refresh(first["refresh_token"])
    client.assert_refused(reuse, 400, "invalid_grant")
    assert reuse.json()["error_description"] == "Refresh token is invalid"
    client.assert_refused(client.refresh(second["refresh_token"]), 400, "invalid_grant")
    assert client.me(second["access_token"]).status_code == 401
    assert box.stored_refresh_tokens("ada@example.com") == []
    assert (box.counters["refusals"], box.counters["reuses"]) == (2, 1)


def test_reuse_does_not_touch_another_sign_in_of_the_same_person(client):
    stolen, other = client.tokens(), client.tokens()
    client.refresh(stolen["refresh_token"])
    client.refresh(stolen["refresh_token"])
    assert client.refresh(other["refresh_token"]).status_code == 200


def test_of_concurrent_uses_one_wins_and_the_family_is_revoked(box, client):
    old = client.tokens()["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.refresh(old), range(8)))
    winners = [answer for answer in answers if answer.status_code == 200]
    assert len(winners) == 1
    assert box.counters["reuses"] == 7
    client.assert_refused(client.refresh(winners[0].json()["refresh_token"]), 400, "invalid_grant")
    assert box.counters["token.refresh_token"] == 1


def test_a_refused_scope_does_not_spend_the_refresh_token(client):
    old = client.tokens(scope="sql offline_access")["refresh_token"]
    client.assert_refused(client.refresh(old, scope="all-apis"), 400, "invalid_scope")
    assert client.refresh(old).status_code == 200


def test_a_refresh_token_belongs_to_its_client(client):
    old = client.tokens()["refresh_token"]
    answer = client.token(grant_type="refresh_token", refresh_token=old, client_id="databricks-sql-python")
    client.assert_refused(answer, 400, "invalid_grant")
    assert client.refresh(old).status_code == 200


def test_an_assumed_group_survives_the_refresh(client):
    tokens = client.tokens(group_id="analysts")
    access = client.refresh(tokens["refresh_token"]).json()["access_token"]
    assert "analysts" in [group["value"] for group in client.me(access).json()["groups"]]


@pytest.mark.parametrize("options", [{"rotate": False}, {"omit_refresh_token": True}])
def test_reusable_refresh_tokens_stay_valid(options, client_of):
    with Sandbox(**options) as box:
        client = client_of(box)
        old = client.tokens()["refresh_token"]
        for _ in range(3):
            answer = client.refresh(old)
            assert answer.status_code == 200
            assert answer.json().get("refresh_token") == (None if "omit_refresh_token" in options else old)
        assert box.stored_refresh_tokens("ada@example.com") == [old]


def test_a_refresh_token_dies_with_its_lifetime(box, client):
    old = client.tokens()["refresh_token"]
    assert box.expire(token=old) == 1
    client.assert_refused(client.refresh(old), 400, "invalid_grant")
