"""Tokens that live for ten seconds, through a query of a minute and an idle session."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyspark.sql import functions as F

_MINUTE = 60


@pytest.mark.timeout(300)
def test_ten_second_tokens_carry_a_query_of_a_minute_and_an_idle_session(principal, person, connect, workspace, front):
    ada = person("ada@example.com")
    workspace.set_lifetime(10)
    ada.login()
    idle = connect(ada)
    assert idle.sql("select 1").collect() == [(1,)]
    last_used = ada.token().expires_at.timestamp()
    spark = connect(principal)
    began = time.time()

    rows = long_query(spark, rows=24, seconds=5)

    assert time.time() - began >= _MINUTE
    assert sorted(row[0] for row in rows) == list(range(24))
    during = front.rpcs(since=began)
    assert len({rpc.token for rpc in during}) >= 6
    assert {rpc.status for rpc in during} == {200}, "an expired token was sent"
    assert "ReattachExecute" in {rpc.method for rpc in during}
    assert time.time() > last_used + 30, "the other session was not idle"
    assert idle.sql("select 2").collect() == [(2,)]
    assert {rpc.status for rpc in front.rpcs(since=began)} == {200}
    assert workspace.counters["logins"] == 2


def test_the_token_is_revoked_in_mid_query_and_the_query_goes_on(principal, connect, workspace, front, wait_for):
    spark = connect(principal)
    spark.sql("select 1").collect()
    began, refused = time.time(), principal.token().access_token[-12:]

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(long_query, spark, rows=4, seconds=5)
        # The front logs an RPC as it ends: the query's first stream is over, and the query is not.
        wait_for(lambda: any(rpc.method == "ExecutePlan" for rpc in front.rpcs(since=began + 2.5)))
        assert not running.done()
        workspace.revoke()
        rows = running.result(60)

    assert sorted(row[0] for row in rows) == [0, 1, 2, 3]
    during = front.rpcs(since=began)
    assert {rpc.token for rpc in during if rpc.status == 204} == {refused}
    assert {rpc.token for rpc in during if rpc.status == 200} == {refused, principal.token().access_token[-12:]}
    assert workspace.counters["token.client_credentials"] == 2


def long_query(spark, *, rows, seconds):
    def slow(number):
        import time

        time.sleep(seconds)
        return number

    # Two partitions at a time, as the server has two cores.
    return spark.range(0, rows, 1, 2).select(F.udf(slow, "long")("id")).collect()
