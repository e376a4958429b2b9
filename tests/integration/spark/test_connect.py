"""The rest of what a Spark Connect session is used for."""

import os
import signal
import threading
import time
from concurrent.futures import wait
from pathlib import Path

import pytest
from grpc import StatusCode
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

import lakekey
from lakekey.errors import ConfigurationError, LoginRequired


def test_dataframes_and_sql_functions_work_without_classic_spark(principal, connect):
    spark = connect(principal)

    frame = spark.createDataFrame([("a", 1), ("b", 2), ("a", 3)], ["key", "value"])
    sums = frame.groupBy("key").agg(F.sum("value").alias("sum")).orderBy("key")

    assert sums.collect() == [("a", 4), ("b", 2)]


def test_the_first_session_of_a_process_turns_connect_mode_on(principal, monkeypatch):
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "")  # so that it is put back
    monkeypatch.delenv("SPARK_CONNECT_MODE_ENABLED")

    spark = lakekey.spark.session(principal)
    try:
        assert spark.range(3).select(F.max("id")).collect() == [(2,)]
    finally:
        spark.stop()


def test_a_python_function_runs_on_the_cluster(principal, connect):
    spark = connect(principal)
    doubled = F.udf(lambda number: number * 2, "long")

    assert spark.range(4).select(doubled("id")).collect() == [(0,), (2,), (4,), (6,)]


def test_an_uploaded_module_is_used_by_a_function(principal, connect, tmp_path):
    module = tmp_path / "shipped.py"
    module.write_text("def answer():\n    return 42\n")
    spark = connect(principal)
    spark.addArtifacts(str(module), pyfile=True)

    def ask(_):
        import shipped

        return shipped.answer()

    assert spark.range(1).select(F.udf(ask, "long")("id")).collect() == [(42,)]


def test_a_large_artifact_travels_in_chunks(principal, connect, tmp_path, front, wait_for):
    archive = tmp_path / "data.txt"
    archive.write_bytes(os.urandom(3 << 20))
    began = time.time()

    connect(principal).addArtifacts(str(archive), file=True)

    # The front logs an RPC a moment after it has ended.
    wait_for(lambda: [rpc.status for rpc in front.rpcs(since=began) if rpc.method == "AddArtifacts"] == [200])


def test_an_interrupt_ends_a_running_query(principal, connect, workspace, front, wait_for):
    spark = connect(principal)
    spark.sql("select 1").collect()
    outcome = []
    began = time.time()

    def sleepy(number):
        from time import sleep

        sleep(20)
        return number

    def run():
        try:
            spark.range(2).select(F.udf(sleepy, "long")("id")).collect()
        except PySparkException as error:
            outcome.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        # The front logs an RPC as it ends: three seconds in, the query's first stream has.
        wait_for(lambda: any(rpc.method == "ExecutePlan" for rpc in front.rpcs(since=began + 2.5)))
        workspace.revoke()
        interrupted = spark.interruptAll()
    finally:
        thread.join(30)
    assert len(interrupted) == 1
    assert "OPERATION_CANCELED" in outcome[0]
    wait_for(lambda: "Interrupt" in {rpc.method for rpc in front.rpcs() if rpc.token == tail(principal)})


@pytest.mark.parametrize("way", ["newSession", "cloneSession"])
def test_a_session_made_from_another_stays_signed_in(way, principal, connect, workspace):
    spark = connect(principal)
    spark.range(2).createOrReplaceTempView("two")
    workspace.revoke()

    other = getattr(spark, way)()
    workspace.revoke()

    assert other.sql("select 3").collect() == [(3,)]
    assert workspace.counters["token.client_credentials"] >= 2
    other.stop()


def test_every_kind_of_rpc_carries_the_token(principal, connect, hostile, workspace, tmp_path):
    both = tmp_path / "both.pem"
    both.write_text("".join(Path(path).read_text() for path in (principal.target.ca_file, hostile.ca_file)))
    trusting = lakekey.provider(
        host=principal.target.host,
        client_id=workspace.client_id,
        client_secret=workspace.client_secret,
        ca_file=str(both),
    )
    module = tmp_path / "some.py"
    module.write_text("")
    spark = connect(trusting, hostile.url)
    spark.addArtifacts(str(module), pyfile=True)
    assert spark.range(3).schema.names == ["id"]
    spark.conf.set("spark.sql.session.localRelationCacheThreshold", "1")
    assert spark.createDataFrame([(number,) for number in range(100)], ["number"]).count() == 100
    hostile.fault(StatusCode.UNAVAILABLE, method="ExecutePlan", after=1)
    assert spark.range(50_000).count() == 50_000
    with pytest.raises(PySparkException):
        spark.range(1).selectExpr("raise_error('no')").collect()
    spark.interruptAll()
    spark.cloneSession().stop()

    assert set(hostile.methods()) == {
        "AddArtifacts",
        "AnalyzePlan",
        "ArtifactStatus",
        "CloneSession",
        "Config",
        "ExecutePlan",
        "FetchErrorDetails",
        "Interrupt",
        "ReattachExecute",
        "ReleaseExecute",
        "ReleaseSession",
    }
    assert {token for _, token in hostile.seen} == {trusting.token().access_token}


def test_an_error_of_the_query_is_sparks_own_and_costs_no_token(principal, connect, workspace):
    spark = connect(principal)

    with pytest.raises(PySparkException, match="TABLE_OR_VIEW_NOT_FOUND"):
        spark.table("no_such_table").collect()
    assert workspace.counters["token.client_credentials"] == 1


@pytest.mark.filterwarnings("ignore::lakekey.ServicePrincipalMissingWarning")
def test_a_session_that_ends_in_mid_life_says_that_a_login_is_required(person, connect, person_leaves):
    ada = person()
    person_leaves()
    target = ada.target
    same = lakekey.provider(host=target.host, user=target.user, cluster_id=target.cluster_id, ca_file=target.ca_file)
    spark = connect(same)
    spark.sql("select 1").collect()
    wait(spark.client._release_futures)

    same.logout()

    with pytest.raises(LoginRequired):
        spark.sql("select 2").collect()


def test_a_session_that_is_over_is_stopped_without_asking_anybody_to_sign_in(person, connect, workspace):
    ada = person()
    spark = connect(ada)
    spark.sql("select 1").collect()
    ada.logout()

    spark.client._cleanup_ml_cache()
    spark.stop()

    assert workspace.counters["logins"] == 1


def test_release_that_is_refused_after_a_sign_out_asks_no_person_to_sign_in(
    person, connect, hostile, workspace, wait_for, tmp_path
):
    ada = person()
    bundle = tmp_path / "all.pem"
    bundle.write_text("".join(Path(path).read_text() for path in (ada.target.ca_file, hostile.ca_file)))
    ada = lakekey.provider(host=ada.target.host, user=ada.target.user, ca_file=str(bundle))
    spark = connect(ada, hostile.url)
    spark.sql("select 1").collect()
    wait(spark.client._release_futures, timeout=30)
    hostile.clear()
    hostile.fault(StatusCode.UNAUTHENTICATED, method="ReleaseExecute", times=None, delay=2.0)
    spark.sql("select 2").collect()
    wait_for(lambda: "ReleaseExecute" in hostile.methods())
    ada.logout()
    wait(spark.client._release_futures, timeout=30)

    assert workspace.counters["logins"] == 1


def test_a_variable_with_a_token_does_not_leak_into_the_session(principal, connect, front, monkeypatch):
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", "token-of-another")
    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1:1")
    monkeypatch.setenv("SPARK_USER", "another")

    spark = connect(principal)

    assert spark.sql("select 1").collect() == [(1,)]
    assert spark.client.token is None
    assert spark.client._user_id == principal.target.client_id


def test_a_certificate_that_is_not_trusted_is_reported_at_once(workspace, front, connect):
    principal = lakekey.provider(
        host=workspace.host,
        client_id=workspace.client_id,
        client_secret=workspace.client_secret,
        ca_file=workspace.ca_file,
    )
    spark = connect(principal, front.url())

    with pytest.raises(ConfigurationError, match="certificate"):
        spark.sql("select 1").collect()


def test_the_authority_may_be_named_by_the_environment(workspace, front, connect, monkeypatch, tmp_path):
    bundle = tmp_path / "both.pem"
    with open(workspace.ca_file) as ours, open(front.ca_file) as theirs:
        bundle.write_text(ours.read() + theirs.read())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    principal = lakekey.provider(host=front.host, client_id=workspace.client_id, client_secret=workspace.client_secret)

    assert connect(principal, front.url()).sql("select 1").collect() == [(1,)]


def test_loopback_is_served_in_clear(principal, connect, spark_server):
    assert connect(principal, f"sc://127.0.0.1:{spark_server.port}").sql("select 1").collect() == [(1,)]


def test_a_proxy_is_not_asked_for_loopback(principal, connect, monkeypatch):
    principal.token()
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert connect(principal).sql("select 1").collect() == [(1,)]


def test_the_front_sees_the_programs_name_before_ours(principal, connect, front):
    connect(principal, user_agent="acme_etl/1.2").sql("select 1").collect()

    agents = {rpc.user_agent for rpc in front.rpcs() if rpc.token == tail(principal)}
    assert all(agent.startswith(f"acme_etl/1.2 lakekey/{lakekey.__version__} ") for agent in agents)


def test_the_programs_name_may_stand_in_the_address(principal, front):
    builder = lakekey.spark.channel_builder(principal, front.url(user_agent="acme_etl%2F1.2"))

    assert builder.userAgent.startswith(f"acme_etl/1.2 lakekey/{lakekey.__version__} ")


def test_headers_of_the_callers_travel_with_each_rpc(principal, hostile):
    builder = lakekey.spark.channel_builder(principal, hostile.url, headers={"X-Acme-Team": "data; more=1"})

    assert ("x-acme-team", "data; more=1") in list(builder.metadata())
    assert not any(name == "authorization" for name, _ in builder.metadata())


def test_the_callers_own_interceptors_see_no_token(principal, connect):
    import grpc

    seen = []

    class Watch(grpc.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, continuation, details, request):
            seen.append(details.metadata)
            return continuation(details, request)

    from pyspark.sql.connect.session import SparkSession

    builder = lakekey.spark.channel_builder(principal)
    builder.add_interceptor(Watch())
    spark = SparkSession.builder.channelBuilder(builder).create()
    spark.conf.get("spark.sql.shuffle.partitions")
    spark.stop()

    assert seen
    assert "authorization" not in str(seen).lower()


def asked_in_a_child(spark):
    """What a forked child is told, and how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            spark.sql("select 1").collect()
            said = b"it went through"
        except ConfigurationError as error:
            said = str(error).encode()
        except BaseException as error:
            said = repr(error).encode()
        os.write(writing, said)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read(), os.waitpid(child, 0)[1]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_is_told_to_make_its_own_session(principal, connect):
    spark = connect(principal)
    spark.sql("select 1").collect()
    told, status = asked_in_a_child(spark)
    if os.WTERMSIG(status) == signal.SIGABRT:  # by gRPC, now and then, when it clears up a call of the parent's
        told, status = asked_in_a_child(spark)
    assert b"create a session in each process" in told
    assert status == 0
    assert spark.sql("select 2").collect() == [(2,)]


def tail(provider):
    """A token's last characters, as the front logs them."""
    return provider.token().access_token[-12:]
