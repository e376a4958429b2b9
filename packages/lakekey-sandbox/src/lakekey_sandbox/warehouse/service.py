"""The warehouse: one Thrift message in, its answer out."""

import threading
import weakref
from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException
from thrift.transport.TTransport import TMemoryBuffer

from lakekey_sandbox.warehouse.calls import CALLS
from lakekey_sandbox.warehouse.engine import Engine, Result
from lakekey_sandbox.warehouse.errors import RequestRefused, SqlError
from lakekey_sandbox.warehouse.operations import Operation
from lakekey_sandbox.warehouse.parameters import from_thrift
from lakekey_sandbox.warehouse.sessions import Registry, Session

_SESSION_IDLE = 3600.0
_OPERATION_IDLE = 900.0


class Warehouse:
    """A SQL warehouse in this process.

    Safe to use from many threads; statements of different sessions run side by side.

    Args:
        engine: ``duckdb``, or ``spark`` for real Spark SQL (needs pyspark and a Java runtime).
        session_idle: Seconds without a request after which a session is closed.
        operation_idle: Seconds without a request after which the rows of a finished statement are freed.

    Raises:
        ImportError: The engine's package is not installed.
        ValueError: There is no such engine.
    """

    def __init__(
        self,
        engine: str = "duckdb",
        *,
        session_idle: float = _SESSION_IDLE,
        operation_idle: float = _OPERATION_IDLE,
    ) -> None:
        self.registry = Registry(session_idle, operation_idle)
        self._lock = threading.Lock()
        self._statements = 0
        self.engine = _engine(engine)
        # A program that ends without close() must not leave threads inside the engine: they would abort it.
        self._finalizer = weakref.finalize(self, _shut, self.registry, self.engine)

    @property
    def statements(self) -> int:
        """How many statements clients have sent for execution."""
        with self._lock:
            return self._statements

    def handle(self, body: bytes, subject: str) -> bytes:
        """Answer one message.

        Args:
            body: A call of ``TCLIService`` in Thrift's binary protocol.
            subject: Who makes it. Sessions and statements belong to their subject; ``current_user()`` is it.

        Returns:
            The reply, in the same protocol. A statement that fails is a reply, not an exception.

        Raises:
            ValueError: The body is no Thrift message.
        """
        self.registry.sweep()
        given, answer = TMemoryBuffer(body), TMemoryBuffer()
        processor = TCLIService.Processor(_Caller(self, subject))
        try:
            processor.process(TBinaryProtocol(given), TBinaryProtocol(answer))
        except Exception as error:
            # The generated code answers the failures of a handler itself: what comes here is the decoding.
            raise ValueError(f"not a Thrift message: {type(error).__name__}") from error
        return bytes(answer.getvalue())

    def run(self, session: Session, operation: Operation, request: ttypes.TExecuteStatementReq) -> Result:
        """Run a client's statement in its session, counted.

        Raises:
            SqlError: The statement failed.
        """
        with self._lock:
            self._statements += 1
        parameters = [from_thrift(parameter) for parameter in request.parameters or ()]
        result = session.engine.execute(request.statement, parameters, operation)
        limit = request.resultRowLimit
        if limit is not None and limit >= 0:
            return Result(result.table.slice(0, limit), result.modified_rows)
        return result

    def close(self) -> None:
        """Stop what runs, close all sessions and free the tables."""
        self._finalizer()


def _shut(registry: Registry, engine: Engine) -> None:
    registry.close()
    engine.close()


class _Caller:
    """The handler of one request. ``TCLIService.Processor`` finds its methods by their Thrift names."""

    def __init__(self, warehouse: Warehouse, subject: str) -> None:
        self._warehouse = warehouse
        self._subject = subject

    def __getattr__(self, name: str) -> Any:
        call = CALLS.get(name)
        reply = getattr(ttypes, f"T{name}Resp", None)
        if reply is None:
            raise AttributeError(name)

        def answer(request: Any) -> Any:
            if call is None:
                return reply(status=RequestRefused(f"{name} is not supported", sqlstate="0A000").status())
            try:
                return call(self._warehouse, self._subject, request)
            except RequestRefused as refusal:
                return reply(status=refusal.status())
            except SqlError as error:
                return reply(status=RequestRefused(str(error), sqlstate=error.sqlstate).status())
            except pa.ArrowException as error:
                raise TApplicationException(TApplicationException.INTERNAL_ERROR, str(error)) from error

        return answer


def _engine(name: str) -> Engine:
    if name == "duckdb":
        from lakekey_sandbox.warehouse.duckdb_engine import DuckDBEngine

        return DuckDBEngine()
    if name == "spark":
        from lakekey_sandbox.warehouse.spark_engine import SparkEngine

        return SparkEngine()
    raise ValueError(f"there is no engine {name!r}: duckdb and spark are")
