"""What a signed-in session does, with each pyspark that lakekey takes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import lakekey
from lakekey.errors import CredentialsRefused, LoginRequired, ServicePrincipalMissingWarning


def test_a_service_principal_runs_a_query(principal, connect, front):
    spark = connect(principal)

    assert spark.sql("select 1 as one").collect() == [(1,)]
    assert {rpc.cluster for rpc in front.rpcs() if rpc.token == tail(principal)} == {principal.target.cluster_id}


def test_a_person_runs_a_query_with_one_sign_in(person, connect, workspace):
    spark = connect(person("ada@example.com"))

    assert spark.range(5).count() == 5
    assert workspace.counters["logins"] == 1
    assert {record.subject for record in workspace.log if record.route == "scim"} == {"ada@example.com"}


def test_a_channel_builder_serves_pysparks_own_builder(principal):
    from pyspark.sql.connect.session import SparkSession

    spark = SparkSession.builder.channelBuilder(lakekey.spark.channel_builder(principal)).create()
    try:
        assert spark.sql("select 2").collect() == [(2,)]
    finally:
        spark.stop()


def test_sparks_configuration_is_given_by_names_with_dots(principal, connect):
    spark = connect(principal, **{"spark.sql.shuffle.partitions": "7"})

    assert spark.conf.get("spark.sql.shuffle.partitions") == "7"


def test_six_hundred_thousand_rows_arrive_in_pandas(principal, connect):
    frame = connect(principal).range(600_000).toPandas()

    assert len(frame) == 600_000
    assert int(frame["id"].sum()) == 600_000 * 599_999 // 2


def test_a_session_can_be_stopped_and_made_again(principal, connect):
    first = connect(principal)
    first.sql("select 1").collect()
    first.stop()

    assert connect(principal).sql("select 1").collect() == [(1,)]


def test_a_revoked_token_is_renewed_and_the_query_goes_on(principal, connect, workspace, front):
    spark = connect(principal)
    spark.sql("select 1").collect()
    refused = tail(principal)

    workspace.revoke()

    assert spark.sql("select 2").collect() == [(2,)]
    assert workspace.counters["token.client_credentials"] == 2
    assert {rpc.token for rpc in front.rpcs() if rpc.status == 204} >= {refused}


def test_a_token_refused_by_plain_http_is_renewed_as_well(principal, connect, workspace, front):
    spark = connect(principal, front.url(front.plain))
    spark.sql("select 1").collect()

    workspace.revoke()

    assert spark.sql("select 2").collect() == [(2,)]
    assert workspace.counters["token.client_credentials"] == 2


def test_the_first_rpc_of_all_may_be_the_refused_one(principal, connect, workspace):
    principal.token()
    workspace.revoke()

    assert connect(principal).sql("select 1").collect() == [(1,)]


def test_an_artifact_is_uploaded_although_the_token_was_revoked(
    principal, connect, workspace, front, tmp_path, wait_for
):
    module = tmp_path / "uploaded.py"
    module.write_text("ANSWER = 42\n")
    spark = connect(principal)
    spark.sql("select 1").collect()
    workspace.revoke()
    began = time.time()

    spark.addArtifacts(str(module), pyfile=True)

    # The front logs an RPC a moment after it has ended.
    wait_for(lambda: [rpc.status for rpc in front.rpcs(since=began) if rpc.method == "AddArtifacts"] == [204, 200])


def test_eight_threads_that_meet_a_revoked_token_make_one_token_request(principal, connect, workspace):
    spark = connect(principal)
    spark.sql("select 1").collect()
    workspace.revoke()
    together = threading.Barrier(8)

    def query(number):
        together.wait(30)
        return [spark.sql(f"select {number} + {turn}").collect()[0][0] for turn in range(3)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(query, range(8))) == [[number + turn for turn in range(3)] for number in range(8)]
    assert workspace.counters["token.client_credentials"] == 2


def test_two_people_have_a_session_each_in_one_process(person, connect, workspace, front):
    ada, grace = person("ada@example.com"), person("grace@example.com")
    hers, other = connect(ada), connect(grace)

    hers.range(3).createOrReplaceTempView("mine")
    other.range(5).createOrReplaceTempView("mine")

    assert (hers.table("mine").count(), other.table("mine").count()) == (3, 5)
    assert {record.subject for record in workspace.log if record.route == "scim"} == {
        ada.target.user,
        grace.target.user,
    }
    assert {tail(ada), tail(grace)} <= {rpc.token for rpc in front.rpcs()}


def test_missing_sign_in_is_reported_at_once_by_its_name(front, workspace, unattended):
    with pytest.warns(ServicePrincipalMissingWarning):
        signed_out = lakekey.provider(
            host=front.host, ca_file=front.ca_file, user="stranger@example.com", cluster_id="x"
        )

    with pytest.raises(LoginRequired) as caught:
        lakekey.spark.session(signed_out)
    assert "lakekey login" in caught.value.hint


def test_a_wrong_secret_is_reported_by_the_first_rpc_and_not_tried_for_minutes(front, workspace):
    from pyspark.sql.connect.session import SparkSession

    wrong = lakekey.provider(
        host=front.host, ca_file=front.ca_file, client_id=workspace.client_id, client_secret="wrong", cluster_id="x"
    )
    spark = SparkSession.builder.channelBuilder(lakekey.spark.channel_builder(wrong)).create()
    spark.release_session_on_close = False
    try:
        with pytest.raises(CredentialsRefused):
            spark.sql("select 1").collect()
    finally:
        spark.stop()


def tail(provider):
    """A token's last characters, as the front logs them."""
    return provider.token().access_token[-12:]


def test_an_upload_whose_next_part_is_awaited_is_not_begun_again():
    from lakekey.spark.replay import Replay

    awaited, goes_on = threading.Event(), threading.Event()

    def parts():
        awaited.set()
        goes_on.wait(60.0)
        yield from ()

    replay = Replay(parts())
    reader = threading.Thread(target=lambda: next(replay.begin(), None))  # as gRPC's own
    reader.start()
    try:
        assert awaited.wait(30.0)
        assert replay.begin() is None
    finally:
        goes_on.set()
        reader.join(30.0)
