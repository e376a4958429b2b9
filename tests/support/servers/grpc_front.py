"""A front of our own before a Spark server, which goes wrong as it is told to."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc

from support.tls import write_certificates

_UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@dataclass
class Fault:
    """What happens to the next RPCs.

    Attributes:
        code: The status to end them with; ``None`` lets them pass.
        method: The RPC's name; ``*`` for any.
        times: For how many; ``None`` for all.
        after: End them after that many responses.
        delay: Seconds to wait first.
    """

    code: grpc.StatusCode | None = None
    method: str = "*"
    times: int | None = 1
    after: int = 0
    delay: float = 0.0


class GrpcFront(grpc.GenericRpcHandler):
    """A TLS port that passes RPCs on as bytes.

    Args:
        directory: Where its certificates go.
        spark_port: The Spark server's port.

    Attributes:
        ca_file: The authority that its certificate is from.
        seen: (method, token) of each RPC.
    """

    def __init__(self, directory: Path, spark_port: int) -> None:
        self._certificates = write_certificates(directory)
        self.ca_file = str(self._certificates.ca)
        self.seen: list[tuple[str, str]] = []
        self._faults: list[Fault] = []
        self._guard = threading.Lock()
        self._spark = grpc.insecure_channel(f"127.0.0.1:{spark_port}", options=_UNLIMITED)
        self._server = grpc.server(ThreadPoolExecutor(32), handlers=[self], options=_UNLIMITED)

    def __enter__(self) -> Self:
        pair = (self._certificates.key.read_bytes(), self._certificates.cert.read_bytes())
        self.port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait(10)
        self._spark.close()

    @property
    def url(self) -> str:
        """Its Spark Connect address."""
        return f"sc://127.0.0.1:{self.port}/;use_ssl=true"

    def fault(self, code: grpc.StatusCode | None = None, **more: Any) -> None:
        """Adds a fault; several take their turns."""
        with self._guard:
            self._faults.append(Fault(code, **more))

    def clear(self) -> None:
        """Forgets faults and what was seen."""
        with self._guard:
            self._faults.clear()
            self.seen.clear()

    def methods(self) -> list[str]:
        """The names of the RPCs so far."""
        return [method for method, _ in self.seen]

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Any method of any service."""
        path = handler_call_details.method

        def behave(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            return self._pass_on(path, requests, context)

        return grpc.stream_stream_rpc_method_handler(behave)

    def _pass_on(self, path: str, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        metadata = [pair for pair in context.invocation_metadata() if not pair[0].startswith(("grpc-", "user-agent"))]
        method = path.rpartition("/")[2]
        fault = self._met(method, dict(metadata).get("authorization", ""))
        time.sleep(fault.delay)
        if fault.code is not None and fault.after == 0:
            context.abort(fault.code, "the front says so")
        call = self._spark.stream_stream(path)(requests, metadata=metadata)
        try:
            for count, response in enumerate(call, start=1):
                yield response
                if fault.code is not None and count == fault.after:
                    call.cancel()
                    context.abort(fault.code, "the front says so")
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata() or ())
            context.abort(error.code(), error.details() or "")

    def _met(self, method: str, authorization: str) -> Fault:
        with self._guard:
            self.seen.append((method, authorization.removeprefix("Bearer ")))
            for fault in self._faults:
                if fault.method in ("*", method):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times == 0:
                            self._faults.remove(fault)
                    return fault
        return Fault()
