"""A front that refuses, fails, dawdles or cuts streams."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from grpc import StatusCode
from pyspark.errors import PySparkException

import lakekey
from lakekey.errors import LoginRequired


@pytest.fixture
def provider(workspace, hostile, tmp_path):
    bundle = tmp_path / "both.pem"
    bundle.write_text("".join(Path(path).read_text() for path in (workspace.ca_file, hostile.ca_file)))
    return lakekey.provider(
        host=workspace.host,
        client_id=workspace.client_id,
        client_secret=workspace.client_secret,
        ca_file=str(bundle),
    )


@pytest.fixture
def spark(provider, connect, hostile):
    return connect(provider, hostile.url)


@pytest.mark.parametrize("code", [StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED])
def test_one_refusal_of_the_very_first_rpc_costs_one_token_request(code, spark, hostile, workspace):
    hostile.fault(code)

    assert spark.sql("select 1").collect() == [(1,)]
    assert workspace.counters["token.client_credentials"] == 2
    assert hostile.seen[0][0] == hostile.seen[1][0]
    assert hostile.seen[0][1] != hostile.seen[1][1]


@pytest.mark.parametrize("code", [StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED])
def test_a_front_that_always_refuses_is_reported_soon_and_not_fed_with_tokens(code, spark, hostile, workspace):
    hostile.fault(code, times=None)
    began = time.monotonic()

    for _ in range(5):
        with pytest.raises(PySparkException, match=r"the front says so"):
            spark.sql("select 1").collect()

    assert time.monotonic() - began < 10
    assert workspace.counters["token.client_credentials"] == 2


def test_refused_token_is_replaced_again_once_the_front_has_recovered(spark, hostile, workspace):
    hostile.fault(StatusCode.UNAUTHENTICATED, times=None)
    with pytest.raises(PySparkException):
        spark.sql("select 1").collect()
    hostile.clear()
    spark.sql("select 2").collect()

    hostile.fault(StatusCode.UNAUTHENTICATED)

    assert spark.sql("select 3").collect() == [(3,)]
    assert workspace.counters["token.client_credentials"] == 3


def test_an_outage_is_pysparks_to_retry_and_costs_no_token(spark, hostile, workspace):
    spark.range(1).count()
    hostile.fault(StatusCode.UNAVAILABLE, times=3)

    assert spark.sql("select 1").collect() == [(1,)]
    assert workspace.counters["token.client_credentials"] == 1


def test_a_slow_front_is_waited_for(spark, hostile, workspace):
    hostile.fault(delay=3.0)
    began = time.monotonic()

    assert spark.sql("select 1").collect() == [(1,)]
    assert time.monotonic() - began >= 3
    assert workspace.counters["token.client_credentials"] == 1


def test_a_stream_that_is_cut_for_its_token_is_reattached(spark, hostile, workspace):
    hostile.fault(StatusCode.UNAUTHENTICATED, method="ExecutePlan", after=1)

    assert spark.range(50_000).toPandas()["id"].sum() == 50_000 * 49_999 // 2
    assert hostile.methods().count("ExecutePlan") == 1
    # The server ends a stream after 3 s by itself, so on a busy machine there are more.
    assert hostile.methods().count("ReattachExecute") >= 1
    assert workspace.counters["token.client_credentials"] == 2


def test_a_front_that_cuts_every_stream_is_reported_and_not_fed_with_tokens(spark, hostile, workspace):
    hostile.fault(StatusCode.UNAUTHENTICATED, method="ExecutePlan", times=None, after=1)
    hostile.fault(StatusCode.UNAUTHENTICATED, method="ReattachExecute", times=None, after=1)

    with pytest.raises(PySparkException, match=r"the front says so"):
        spark.range(200_000).toPandas()
    assert workspace.counters["token.client_credentials"] == 2


def test_what_cannot_be_reattached_fails_and_the_next_query_has_a_new_token(spark, hostile, workspace):
    spark.client.disable_reattachable_execute()
    hostile.fault(StatusCode.UNAUTHENTICATED, method="ExecutePlan", after=1)

    with pytest.raises(PySparkException, match=r"the front says so"):
        spark.range(10).collect()
    assert spark.range(10).count() == 10
    assert workspace.counters["token.client_credentials"] == 2


def test_refused_execution_that_cannot_be_reattached_is_not_started_again(spark, hostile, workspace):
    """No status tells whether the server had accepted it before it refused its token."""
    spark.client.disable_reattachable_execute()
    hostile.fault(StatusCode.UNAUTHENTICATED, method="ExecutePlan")

    with pytest.raises(PySparkException, match=r"the front says so"):
        spark.range(10).collect()
    assert hostile.methods().count("ExecutePlan") == 1
    assert spark.range(10).count() == 10
    assert workspace.counters["token.client_credentials"] == 2


def test_refused_execution_that_can_be_reattached_begins_again_under_its_operation_id(spark, hostile, workspace):
    spark.range(1).count()
    hostile.fault(StatusCode.UNAUTHENTICATED, method="ExecutePlan")

    assert spark.range(10).collect()[-1].id == 9
    assert workspace.counters["token.client_credentials"] == 2


def test_an_upload_that_is_refused_at_first_is_sent_whole(spark, hostile, tmp_path):
    module = tmp_path / "again.py"
    module.write_bytes(b"#" * (300 << 10))
    hostile.fault(StatusCode.UNAUTHENTICATED, method="AddArtifacts")

    spark.addArtifacts(str(module), pyfile=True)

    assert hostile.methods().count("AddArtifacts") == 2


def test_a_refusal_by_spark_itself_costs_no_token(spark, workspace):
    with pytest.raises(PySparkException):
        spark.sql("select * from nowhere").collect()
    assert workspace.counters["token.client_credentials"] == 1


def test_every_rpc_of_a_session_carries_the_token(spark, hostile, provider):
    spark.range(10).count()
    spark.conf.set("spark.sql.shuffle.partitions", "3")
    spark.interruptAll()

    assert {"ExecutePlan", "ReleaseExecute", "Config", "Interrupt"} <= set(hostile.methods())
    assert {token for _, token in hostile.seen} == {provider.token().access_token}


def test_streams_that_are_cut_at_once_for_one_token_share_one_renewal(spark, hostile, workspace):
    spark.range(1).count()
    hostile.fault(StatusCode.UNAUTHENTICATED, method="ExecutePlan", times=8, after=1)
    workspace.fault("token", delay=1.0)
    together = threading.Barrier(8)

    def query(_):
        together.wait(30)
        return int(spark.range(50_000).toPandas()["id"].sum())

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(query, range(8))) == {50_000 * 49_999 // 2}
    assert workspace.counters["token.client_credentials"] == 2


def signed_in_by_the_sdk(provider, **settings):
    return lakekey.provider(host=provider.target.host, ca_file=provider.target.ca_file, **settings)


def test_a_sign_in_that_is_not_a_bearer_token_is_sent_as_it_is(provider, connect, hostile):
    basic = signed_in_by_the_sdk(provider, auth_type="basic", username="ada", password="secret")

    assert connect(basic, hostile.url).sql("select 1").collect() == [(1,)]
    assert {sent for _, sent in hostile.seen} == {basic.headers()["Authorization"]}


def test_every_header_of_a_sign_in_is_sent():
    from lakekey.spark.interceptor import CallDetails, signed

    headers = {"Authorization": "Bearer one", "X-Databricks-Azure-Workspace-Resource-Id": "two"}
    details = CallDetails("/Config", None, [("x-acme", "three")], None, None, None)

    assert signed(details, headers).metadata == (
        ("x-acme", "three"),
        ("authorization", "Bearer one"),
        ("x-databricks-azure-workspace-resource-id", "two"),
    )


def test_a_personal_token_that_is_refused_is_named(provider, connect, hostile):
    spark = connect(signed_in_by_the_sdk(provider, token="dapi-old"), hostile.url)
    hostile.fault(StatusCode.UNAUTHENTICATED, times=None)

    with pytest.raises(LoginRequired, match="pat has no other"):
        spark.sql("select 1").collect()


def test_a_personal_token_that_lacks_a_right_leaves_the_word_to_the_server(provider, connect, hostile):
    spark = connect(signed_in_by_the_sdk(provider, token="dapi-weak"), hostile.url)
    hostile.fault(StatusCode.PERMISSION_DENIED, times=None)

    with pytest.raises(PySparkException, match=r"the front says so"):
        spark.sql("select 1").collect()
