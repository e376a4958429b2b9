"""What signs the RPCs of a channel, before a server that answers as it is told: which RPC is sent once more, and which
never."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import grpc
import pytest
from grpc import StatusCode
from pyspark.sql.connect import proto

from lakekey.errors import ConfigurationError, LoginRequired
from lakekey.spark.interceptor import RetryException, SignIn
from lakekey.spark.replay import Replay
from support.told_provider import ToldProvider

REFUSED, DENIED = StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED
DETAILS = (("grpc-status-details-bin", b"a table"),)


class Answer(NamedTuple):
    """What a server does with one RPC: so many responses, and an end.

    Attributes:
        code: The status that it ends with; ``None`` for a good one.
        responses: How many responses come first.
        text: What the status says.
        trailing: The trailing metadata.
        first: What happens as the RPC arrives.
    """

    code: StatusCode | None = None
    responses: int = 0
    text: str = "the server says so"
    trailing: tuple = ()
    first: object = None


class Server(grpc.GenericRpcHandler):
    """Answers any RPC as the next of its answers says, and well where there is none; it keeps what it was sent."""

    def __init__(self):
        self.answers, self.metadata, self.messages = [], [], []
        self._server = grpc.server(ThreadPoolExecutor(4), handlers=[self])
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self):
        self._server.stop(0).wait(30)

    def service(self, handler_call_details):
        return grpc.stream_stream_rpc_method_handler(self._answer)

    def _answer(self, requests, context):
        self.metadata.append(dict(context.invocation_metadata()))
        self.messages.append(list(requests))
        answer = self.answers.pop(0) if self.answers else Answer(responses=1)
        if answer.first:
            answer.first()
        for _ in range(answer.responses):
            yield b"response"
        if answer.code:
            context.set_trailing_metadata(answer.trailing)
            context.abort(answer.code, answer.text)

    @property
    def tokens(self):
        return [each["authorization"].removeprefix("Bearer ") for each in self.metadata]


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def signs():
    return ToldProvider("one", "two", "three")


class Client:
    """A channel to the server, and its RPCs by their kinds."""

    def __init__(self, server, signs, **settings):
        self._plain = grpc.insecure_channel(f"127.0.0.1:{server.port}")
        self._channel = grpc.intercept_channel(self._plain, SignIn(signs, **settings))

    def close(self):
        self._plain.close()

    def _call(self, kind, name, request, **more):
        call = getattr(self._channel, kind)(f"/spark.connect.SparkConnectService/{name}", type(self)._bytes_of)
        return call(request, timeout=60, **more)

    @staticmethod
    def _bytes_of(message):
        return message.SerializeToString()

    def unary(self, name="Config", request=None, **more):
        return self._call("unary_unary", name, request or proto.ConfigRequest(), **more)

    def stream(self, name="ExecutePlan", request=None, **more):
        return self._call("unary_stream", name, request or plan(), **more)

    def upload(self, requests=(), **more):
        return self._call("stream_unary", "AddArtifacts", iter(requests), **more)

    def both(self, requests=(), **more):
        return self._call("stream_stream", "Talk", iter(requests), **more)


@pytest.fixture
def client(server, signs):
    client = Client(server, signs)
    yield client
    client.close()


def plan(*, reattachable=True, operation_id="7"):
    request = proto.ExecutePlanRequest(operation_id=operation_id)
    request.request_options.add().reattach_options.reattachable = reattachable
    return request


def parts(*sizes):
    return [proto.AddArtifactsRequest(session_id="x" * size) for size in sizes]


def cut(call):
    """Reads a stream until it is cut; returns how many responses came, and what it was cut with."""
    count = 0
    try:
        for _ in call:
            count += 1
    except (grpc.RpcError, RetryException) as error:
        return count, type(error) if isinstance(error, RetryException) else error.code()
    return count, None


# RPCs of one request and one response


def test_rpc_is_signed_and_its_token_has_served(server, signs, client):
    assert client.unary(metadata=[("x-acme", "yes")]) == b"response"
    assert (server.tokens, server.metadata[0]["x-acme"], signs.told) == (["one"], "yes", ["served one"])


@pytest.mark.parametrize(
    "answer",
    [Answer(REFUSED), Answer(REFUSED, trailing=DETAILS), Answer(DENIED), Answer(DENIED, trailing=[("x", "y")])],
)
def test_refused_rpc_is_sent_once_more_with_another_token(server, signs, client, answer):
    server.answers = [answer]
    assert client.unary() == b"response"
    assert (server.tokens, signs.told) == (["one", "two"], ["refused one", "served two"])


@pytest.mark.parametrize("answer", [Answer(StatusCode.NOT_FOUND), Answer(DENIED, trailing=DETAILS)])
def test_what_is_not_a_refusal_of_the_token_is_raised(server, signs, client, answer):
    server.answers = [answer]
    with pytest.raises(grpc.RpcError) as caught:
        client.unary()
    assert (caught.value.code(), server.tokens, signs.told) == (answer.code, ["one"], [])


def test_without_another_token_the_rpc_is_not_sent_again(server, signs, client):
    signs.tokens = ["one"]
    server.answers = [Answer(REFUSED)]
    with pytest.raises(grpc.RpcError):
        client.unary()
    assert (server.tokens, signs.told) == (["one"], ["refused one"])


def test_token_that_was_renewed_meanwhile_is_not_refused(server, signs, client):
    server.answers = [Answer(REFUSED, first=signs.renew)]
    client.unary()
    assert (server.tokens, signs.told) == (["one", "two"], ["served two"])


def test_new_token_that_is_refused_too_is_kept_until_it_has_served(server, signs, client):
    server.answers = [Answer(REFUSED)] * 3
    for _ in range(2):
        with pytest.raises(grpc.RpcError):
            client.unary()
    assert (server.tokens, signs.told) == (["one", "two", "two"], ["refused one"])
    client.unary()
    server.answers = [Answer(REFUSED)]
    client.unary()
    assert server.tokens[3:] == ["two", "two", "three"]
    assert signs.told == ["refused one", "served two", "refused two", "served three"]


@pytest.mark.parametrize(
    ("is_delegated", "code", "raised"),
    [(True, DENIED, grpc.RpcError), (True, REFUSED, LoginRequired), (False, DENIED, LoginRequired)],
)
def test_strategy_without_another_token_leaves_the_word_on_rights_to_the_server(
    server, signs, client, is_delegated, code, raised
):
    signs.target.is_delegated, signs.trouble = is_delegated, LoginRequired("pat has no other")
    server.answers = [Answer(code)]
    with pytest.raises(raised):
        client.unary()
    assert server.tokens == ["one"]


@pytest.mark.parametrize("kind", ["unary", "stream", "upload"])
def test_certificate_that_is_not_trusted_is_reported_at_once(server, client, kind):
    for code, text, raised in [
        (StatusCode.UNAVAILABLE, "CERTIFICATE_VERIFY_FAILED: unable to get", ConfigurationError),
        (StatusCode.UNAVAILABLE, "connection refused", grpc.RpcError),
        (StatusCode.UNAVAILABLE, "", grpc.RpcError),
        (StatusCode.INTERNAL, "CERTIFICATE_VERIFY_FAILED", grpc.RpcError),
    ]:
        server.answers = [Answer(code, text=text)]
        with pytest.raises(raised):
            list(getattr(client, kind)())


# Clearing up


def ml(command):
    request = plan()
    getattr(request.plan.command.ml_command, command).SetInParent()
    return request


def sql():
    request = plan()
    request.plan.command.sql_command.SetInParent()
    return request


CLEARS_UP = [("unary", "ReleaseExecute", None), ("unary", "ReleaseSession", None)]
WORKS = [("unary", "Config", None), ("stream", "ExecutePlan", None), ("stream", "ExecutePlan", sql())]
if hasattr(proto, "MlCommand"):  # not in pyspark 3.5
    CLEARS_UP += [("stream", "ExecutePlan", ml("clean_cache")), ("stream", "ExecutePlan", ml("delete"))]
    WORKS += [("stream", "ExecutePlan", ml("fit"))]


@pytest.mark.parametrize(("kind", "name", "request_"), CLEARS_UP)
def test_no_person_is_asked_to_sign_in_so_that_a_session_can_be_cleared_up(server, signs, client, kind, name, request_):
    assert list(getattr(client, kind)(name, request_))
    signs.is_signed_out = True
    with pytest.raises(LoginRequired) as caught:
        list(getattr(client, kind)(name, request_))
    assert caught.value.hint == "run: lakekey login prod"
    signs.is_signed_out = False
    server.answers = [Answer(REFUSED, first=lambda: setattr(signs, "is_signed_out", True))]
    with pytest.raises(LoginRequired):
        list(getattr(client, kind)(name, request_))
    assert "refused one" not in signs.told


@pytest.mark.parametrize(("kind", "name", "request_"), WORKS)
def test_person_is_asked_to_sign_in_for_everything_else(server, signs, client, kind, name, request_):
    signs.is_signed_out = True
    server.answers = [Answer(REFUSED)]
    assert list(getattr(client, kind)(name, request_))
    assert server.tokens == ["one", "two"]


def test_process_that_was_forked_is_told_to_make_a_session_of_its_own(signs):
    sign_in = SignIn(signs)
    assert sign_in.headers() == {"Authorization": "Bearer one"}
    with warnings.catch_warnings(action="ignore"):
        child = os.fork()
    if child == 0:
        try:
            sign_in.headers()
        except ConfigurationError:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Streams


def test_token_of_a_stream_has_served_with_the_first_response(server, signs, client):
    server.answers = [Answer(responses=3)]
    stream = client.stream(metadata=[("x-acme", "yes")])
    assert next(stream) == b"response"
    assert signs.told == ["served one"]
    assert next(stream) == b"response"
    assert signs.told == ["served one"]
    assert (list(stream), stream.code()) == ([b"response"], StatusCode.OK)
    assert server.metadata[0]["x-acme"] == "yes"


def test_token_of_a_stream_without_a_response_has_served_with_its_end(server, signs, client):
    server.answers = [Answer()]
    assert list(client.stream()) == []
    assert signs.told == ["served one"]


# A plan that has an operation ID, and what asks for the rest of one.
CAN_GO_ON = pytest.mark.parametrize(
    ("name", "request_"), [("ExecutePlan", plan()), ("ReattachExecute", proto.ConfigRequest())]
)


@CAN_GO_ON
def test_stream_that_is_refused_at_first_begins_once_more(server, signs, client, name, request_):
    server.answers = [Answer(REFUSED)]
    assert list(client.stream(name, request_)) == [b"response"]
    assert (server.tokens, signs.told[:2]) == (["one", "two"], ["refused one", "served two"])


@pytest.mark.parametrize("request_", [plan(operation_id=""), plan(reattachable=False)])
def test_plan_that_could_run_twice_is_not_sent_again(server, signs, client, request_):
    server.answers = [Answer(REFUSED)]
    assert cut(client.stream(request=request_)) == (0, REFUSED)
    assert (server.tokens, signs.told) == (["one"], ["refused one"])


LOST = Answer(StatusCode.UNKNOWN, text="Stream removed (Data frame with END_STREAM flag received)")


@CAN_GO_ON
def test_refusal_by_http_whose_status_grpc_has_lost_is_asked_for_again(server, signs, client, name, request_):
    server.answers = [LOST, Answer(REFUSED), LOST]
    assert list(client.stream(name, request_)) == [b"response"]
    assert (server.tokens, signs.told[:2]) == (["one", "one", "two", "two"], ["refused one", "served two"])


def test_status_that_is_lost_for_one_token_may_be_as_often_for_the_next(server, signs, client):
    server.answers = [LOST, LOST, Answer(REFUSED), LOST, LOST]
    assert list(client.stream()) == [b"response"]
    assert server.tokens == ["one"] * 3 + ["two"] * 3


def test_status_that_stays_lost_is_raised(server, signs, client):
    server.answers = [LOST] * 9
    assert cut(client.stream()) == (0, StatusCode.UNKNOWN)
    assert (server.tokens, signs.told) == (["one"] * 3, [])


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (plan(operation_id=""), LOST),
        (plan(reattachable=False), LOST),
        (plan(), Answer(StatusCode.UNKNOWN)),
        (plan(), LOST._replace(code=StatusCode.INTERNAL)),
        (plan(), LOST._replace(responses=1)),
    ],
)
def test_plan_that_may_have_run_is_not_asked_for_again(server, signs, client, request_, answer):
    server.answers = [answer]
    assert cut(client.stream(request=request_)) == (answer.responses, answer.code)
    assert server.tokens == ["one"]


def test_stream_begins_no_third_time(server, signs, client):
    server.answers = [Answer(REFUSED, first=signs.renew)] * 2
    assert cut(client.stream()) == (0, REFUSED)
    assert server.tokens == ["one", "two"]


def test_stream_without_another_token_does_not_begin_again(server, signs, client):
    signs.tokens = ["one"]
    server.answers = [Answer(REFUSED)]
    assert cut(client.stream()) == (0, REFUSED)
    assert server.tokens == ["one"]


def test_stream_that_ends_in_another_error_is_left_to_pyspark(server, signs, client):
    server.answers = [Answer(StatusCode.NOT_FOUND, responses=1)]
    assert cut(client.stream()) == (1, StatusCode.NOT_FOUND)
    assert signs.told == ["served one"]


@CAN_GO_ON
def test_stream_that_is_cut_and_can_be_reattached_is(server, signs, client, name, request_):
    server.answers = [Answer(REFUSED, responses=2)]
    assert cut(client.stream(name, request_)) == (2, RetryException)
    assert (server.tokens, signs.told) == (["one"], ["served one", "refused one"])


@pytest.mark.parametrize("name", ["ExecutePlan", "Other"])
def test_stream_that_is_cut_and_cannot_be_reattached_fails(server, signs, client, name):
    server.answers = [Answer(REFUSED, responses=1)]
    assert cut(client.stream(name, plan(reattachable=False))) == (1, REFUSED)
    assert (server.tokens, signs.told) == (["one"], ["served one", "refused one"])


def test_server_that_cuts_the_stream_of_the_next_token_as_well_is_fed_no_third(server, signs, client):
    server.answers = [Answer(REFUSED, responses=1)] * 2
    assert cut(client.stream()) == (1, RetryException)
    assert cut(client.stream()) == (1, REFUSED)
    assert signs.told == ["served one", "refused one", "served two"]


def test_token_whose_stream_is_cut_later_on_is_replaced(server, signs):
    client = Client(server, signs, cut_pause=0.0)
    server.answers = [Answer(REFUSED, responses=1)] * 2
    assert [cut(client.stream()) for _ in range(2)] == [(1, RetryException)] * 2
    assert signs.tokens == ["three"]
    client.close()


def test_token_whose_streams_are_cut_together_is_refused_until_another_one_is_here(server, signs, client):
    signs.tokens = ["one"]
    server.answers = [Answer(REFUSED, responses=1)] * 2
    assert [cut(client.stream()) for _ in range(2)] == [(1, REFUSED)] * 2
    assert signs.told == ["served one", "refused one"] * 2


def test_calls_that_are_not_streams_do_not_count_as_cut(server, signs, client):
    for _ in range(2):
        server.answers = [Answer(REFUSED)]
        client.unary()
    assert server.tokens == ["one", "two", "two", "three"]


# Uploads


def test_refused_upload_is_sent_once_more_and_whole(server, signs, client):
    signs.is_signed_out = True
    server.answers = [Answer(REFUSED)]
    assert client.upload(parts(1, 2, 3)) == b"response"
    assert (server.tokens, signs.told) == (["one", "two"], ["refused one", "served two"])
    assert server.messages[0] == server.messages[1] == [part.SerializeToString() for part in parts(1, 2, 3)]


@pytest.mark.parametrize(
    ("answer", "tokens"), [(Answer(REFUSED), ["one"]), (Answer(StatusCode.NOT_FOUND), ["one", "two"])]
)
def test_upload_that_nothing_can_help_is_sent_once(server, signs, client, answer, tokens):
    signs.tokens = tokens
    server.answers = [answer]
    with pytest.raises(grpc.RpcError) as caught:
        client.upload(parts(1))
    assert (caught.value.code(), server.tokens) == (answer.code, ["one"])


def test_upload_that_is_too_large_to_keep_is_not_sent_again(server, signs, client):
    server.answers = [Answer(REFUSED)]
    with pytest.raises(grpc.RpcError) as caught:
        client.upload(parts(3_000_000, 3_000_000, 3_000_000, 1))
    assert caught.value.code() is REFUSED
    assert (server.tokens, len(server.messages[0]), signs.told) == (["one"], 4, ["refused one"])


def test_reader_of_an_earlier_upload_finds_the_end_where_the_next_one_goes_on():
    requests = parts(1, 2, 3)
    replay = Replay(iter(requests))
    first = replay.begin()
    assert next(first) == requests[0]
    second = replay.begin()
    assert next(first, "the end") == "the end"
    assert list(second) == requests


def test_rpcs_that_stream_both_ways_are_signed(server, signs, client):
    signs.is_signed_out = True
    assert list(client.both(parts(1))) == [b"response"]
    assert server.tokens == ["one"]
