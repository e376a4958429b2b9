"""What signs each RPC of a channel, and renews a token that the server refuses.

An interceptor rather than gRPC's call credentials: it runs in the caller's own thread, so the provider's errors reach
the caller as they are, and not as UNAVAILABLE, which pyspark tries again for minutes; and it knows which token an RPC
carried, so that exactly this one is invalidated when the server refuses it.
"""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc

from lakekey.errors import ConfigurationError, LoginRequired
from lakekey.providers.provider import Provider
from lakekey.providers.sources import Headers, credentials_of
from lakekey.spark.replay import Replay

try:
    from pyspark.sql.connect.client.retries import RetryException
except ImportError:  # pyspark 3.5
    from pyspark.sql.connect.client.reattach import RetryException

_STATUS_DETAILS = "grpc-status-details-bin"
_CUT_PAUSE = 5.0  # seconds
# What gRPC may make of an HTTP answer, such as a 401 of a gateway: on a busy machine, a stream may end before gRPC has
# looked at the status of the answer.
_LOST_STATUS = "Stream removed"
_REPEATS_FOR_A_STATUS = 2

Continuation = Callable[["CallDetails", Any], Any]


class CallDetails(NamedTuple):
    """``grpc.ClientCallDetails`` as values; the token among them stays out of ``repr``."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any

    def __repr__(self) -> str:
        return f"CallDetails({self.method})"


class SignIn(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]  # grpc is imported when it is used
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
    grpc.StreamStreamClientInterceptor,  # type: ignore[misc]
):
    """Signs the RPCs of one channel.

    Args:
        provider: Where the tokens come from.
        cut_pause: Seconds within which a second token whose streams are cut is not replaced.
    """

    def __init__(self, provider: Provider, *, cut_pause: float = _CUT_PAUSE) -> None:
        self._provider = provider
        self._cut_pause = cut_pause
        self._process = os.getpid()
        # The headers that replaced refused ones, until an RPC succeeds with them. If these are refused too, the token
        # is not what is wrong, and another would be one more request to the token endpoint for each RPC.
        self._on_trial: Headers = {}
        # What was refused when a stream was last cut, and when: all streams of one token may be cut at once.
        self._cut: tuple[Headers, float] = ({}, -cut_pause)

    def intercept_unary_unary(self, continuation: Continuation, details: Any, request: Any) -> Any:
        """Signs a call; sends it once more if the server refuses its token."""
        tidying = _tidies_up(details.method, request)
        headers = self.headers(tidying=tidying)
        call = continuation(signed(details, headers), request)
        if refuses_token(call) and self.renew(headers, call, tidying=tidying):
            headers = self.headers(tidying=tidying)
            call = continuation(signed(details, headers), request)
        return self._judged(call, headers)

    def intercept_unary_stream(self, continuation: Continuation, details: Any, request: Any) -> Any:
        """Signs a call; the stream begins once more if the server refuses its token."""
        return Responses(self, continuation, details, request)

    def intercept_stream_unary(self, continuation: Continuation, details: Any, requests: Iterator[Any]) -> Any:
        """Signs an upload; sends it once more if the server refuses its token before much was sent."""
        replay = Replay(requests)
        headers = self.headers()
        call = continuation(signed(details, headers), replay.begin())
        if refuses_token(call) and self.renew(headers, call) and (again := replay.begin()) is not None:
            headers = self.headers()
            call = continuation(signed(details, headers), again)
        return self._judged(call, headers)

    def intercept_stream_stream(self, continuation: Continuation, details: Any, requests: Iterator[Any]) -> Any:
        """Signs a call. Spark Connect has none of this kind today, and what was said cannot be said again."""
        return continuation(signed(details, self.headers()), requests)

    def headers(self, *, tidying: bool = False) -> Headers:
        """The headers for an RPC that is about to be sent; more than the token's where a cloud's sign-in has more.

        Args:
            tidying: The RPC only clears up behind a session. No person is asked to sign in for that: pyspark sends such
                RPCs by itself, from its own threads and as the interpreter exits.

        Raises:
            LakekeyError: There is none to be had.
        """
        if os.getpid() != self._process:
            raise ConfigurationError(
                "this Spark session belongs to the process that forked this one",
                hint="create a session in each process, and start processes by spawn: gRPC does not survive a fork",
                profile=self._provider.target.name,
            )
        return self._provider.headers(ask=not tidying)

    def renew(self, headers: Headers, call: Any, *, in_mid_stream: bool = False, tidying: bool = False) -> bool:
        """Replace a token that the server refused.

        Args:
            headers: The headers with the token.
            call: The call that failed.
            in_mid_stream: Whether the server had accepted it for the stream that it then cut.
            tidying: Whether the call only cleared up; see `headers`.

        Returns:
            Whether there is another one to try.

        Raises:
            LakekeyError: There is no other to be had.
        """
        if self.headers(tidying=tidying) != headers:
            return True  # renewed meanwhile
        if headers == self._on_trial:
            return False
        if in_mid_stream:
            now = time.monotonic()
            cut, at = self._cut
            if cut != headers and now - at < self._cut_pause:
                return False  # a server that cuts every stream would have us reattach, and renew, for ever
            self._cut = (headers, now)
        try:
            if not self._provider.invalidate(credentials_of(headers), ask=not tidying):
                return False
        except LoginRequired:
            # A personal access token, say, is all there is. Then it more likely lacks a right, which the server says.
            if self._provider.target.is_delegated and call.code() is grpc.StatusCode.PERMISSION_DENIED:
                return False
            raise
        self._on_trial = self.headers(tidying=tidying)
        return True

    def accept(self, headers: Headers) -> None:
        """Note that the server has served an RPC with these headers."""
        self._provider.served(credentials_of(headers))
        if headers == self._on_trial:
            self._on_trial = {}

    def _judged(self, call: Any, headers: Headers) -> Any:
        if call.code() is grpc.StatusCode.OK:
            self.accept(headers)
        else:
            explain(call, self._provider)
        return call

    @property
    def provider(self) -> Provider:
        """Where the tokens come from."""
        return self._provider


class Responses:
    """The responses of a streaming call, which begins again, once, if the server refuses its token.

    Refused in mid-stream, an execution that can be reattached is: the token is renewed, and pyspark is told to go on
    where the stream stopped. Refused before the first response, it begins again under the same operation ID, so that
    a server that had accepted it refuses the second one. An execution that cannot be reattached fails: no status tells
    whether the server had accepted it, and it may have run. By the same rules it is asked for again, with the same
    token, where gRPC has lost the status of the answer.
    """

    def __init__(self, sign_in: SignIn, continuation: Continuation, details: Any, request: Any) -> None:
        self._sign_in = sign_in
        self._continuation = continuation
        self._details = details
        self._request = request
        self._received = False
        self._begun_again = False
        self._repeats_for_a_status = 0
        self._tidying = _tidies_up(details.method, request)
        self._begin()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)  # code(), cancel() and the rest of grpc.Call

    def __iter__(self) -> "Responses":
        return self

    def __next__(self) -> Any:
        while True:
            try:
                response = next(self._call)
            except StopIteration:
                self._sign_in.accept(self._headers)
                raise
            except grpc.RpcError as error:
                if not (self._asks_for_the_status(error) or self._has_another_token(error)):
                    raise
                self._begin()
            else:
                if not self._received:
                    self._received = True
                    self._sign_in.accept(self._headers)
                return response

    def _asks_for_the_status(self, error: Any) -> bool:
        if error.code() is not grpc.StatusCode.UNKNOWN or not (error.details() or "").startswith(_LOST_STATUS):
            return False
        if self._received or not _can_begin_again(self._details.method, self._request):
            return False
        self._repeats_for_a_status += 1
        return self._repeats_for_a_status <= _REPEATS_FOR_A_STATUS

    def _has_another_token(self, error: Any) -> bool:
        """Whether the stream may begin again with another token, if it was refused at all."""
        if not refuses_token(error):
            explain(error, self._sign_in.provider)
            return False
        if not self._sign_in.renew(self._headers, error, in_mid_stream=self._received, tidying=self._tidying):
            return False
        if self._received and _can_be_reattached(self._details.method, self._request):
            raise RetryException from error
        if self._received or self._begun_again or not _can_begin_again(self._details.method, self._request):
            return False
        self._begun_again = True
        self._repeats_for_a_status = 0  # of the other token, it may be lost as well
        return True

    def _begin(self) -> None:
        self._headers = self._sign_in.headers(tidying=self._tidying)
        self._call = self._continuation(signed(self._details, self._headers), self._request)


def signed(details: Any, headers: Headers) -> CallDetails:
    """The details of a call, with the headers; gRPC wants their names in lower case."""
    metadata = (*(details.metadata or ()), *((name.lower(), value) for name, value in headers.items()))
    return CallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready, details.compression
    )


def refuses_token(call: Any) -> bool:
    """Whether a call failed because of its token, as far as its status tells."""
    code = call.code()
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return True
    if code is not grpc.StatusCode.PERMISSION_DENIED:
        return False
    # The platform may answer an expired token so. Spark's own refusals, of a table say, come with details.
    return all(key != _STATUS_DETAILS for key, _ in call.trailing_metadata() or ())


def explain(call: Any, provider: Provider) -> None:
    """Report at once what trying again cannot fix: pyspark takes a certificate that it does not trust for an outage.

    Raises:
        ConfigurationError: The server's certificate is not trusted.
    """
    if call.code() is grpc.StatusCode.UNAVAILABLE and "CERTIFICATE_VERIFY_FAILED" in (call.details() or ""):
        raise ConfigurationError(
            "the certificate of the Spark server is not trusted",
            hint="if it comes from a private CA, set ca_file in the profile or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
            profile=provider.target.name,
        )


def _tidies_up(method: str, request: Any) -> bool:
    if method.endswith("/ExecutePlan"):
        return any(
            field.name == "ml_command" and command.WhichOneof("command") in ("clean_cache", "delete")
            for field, command in request.plan.command.ListFields()
        )
    return method.endswith(("/ReleaseExecute", "/ReleaseSession"))


def _can_begin_again(method: str, request: Any) -> bool:
    """Whether a stream without a response yet may be asked for once more: never a plan that could then run twice."""
    if not method.endswith("/ExecutePlan"):
        return True
    return bool(request.operation_id) and _can_be_reattached(method, request)


def _can_be_reattached(method: str, request: Any) -> bool:
    if method.endswith("/ReattachExecute"):
        return True
    options = getattr(request, "request_options", ())
    return any(option.reattach_options.reattachable for option in options)
