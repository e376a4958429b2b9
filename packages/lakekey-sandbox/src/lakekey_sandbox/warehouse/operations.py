"""One statement on its way: running in a thread of its own, finished, failed or cancelled."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from databricks.sql.thrift_api.TCLIService import ttypes

from lakekey_sandbox.warehouse.engine import Result
from lakekey_sandbox.warehouse.errors import RequestRefused, SqlError, cancelled

_log = logging.getLogger(__name__)
_State = ttypes.TOperationState
# Long enough for an engine to notice, short enough for the client that waits for the answer.
_INTERRUPT_PATIENCE = 2.0
_INTERRUPT_INTERVAL = 0.02


def new_identifier() -> ttypes.THandleIdentifier:
    """A handle's two halves: the name, and the secret that proves it was given by us."""
    return ttypes.THandleIdentifier(guid=uuid4().bytes, secret=uuid4().bytes)


@dataclass(frozen=True)
class Encoding:
    """How the client of an operation reads its rows.

    Attributes:
        arrow: Arrow batches; else Thrift columns.
        lz4: Each Arrow batch is an LZ4 frame.
        native_decimals: Decimals as Arrow decimals; else as strings.
        native_timestamps: Timestamps as Arrow timestamps; else as strings.
        native_complex: Arrays, maps and structs as such; else as JSON strings.
    """

    arrow: bool = True
    lz4: bool = False
    native_decimals: bool = True
    native_timestamps: bool = True
    native_complex: bool = True


@dataclass(eq=False)
class Operation:
    """A unit of work with a handle, owned by a session.

    Attributes:
        kind: A ``TOperationType``.
        work: Does it; raises ``SqlError``.
        interrupt: Asks the engine to stop it; says whether to ask again.
        encoding: How its rows are read.
        offset: The first row that has not been fetched yet.
        touched: Monotonic seconds of the last request about it.
    """

    kind: int
    work: Callable[["Operation"], Result]
    interrupt: Callable[["Operation"], bool]
    encoding: Encoding = field(default_factory=Encoding)
    identifier: ttypes.THandleIdentifier = field(default_factory=new_identifier)
    offset: int = 0
    touched: float = field(default_factory=time.monotonic)
    started: float = field(default_factory=time.time)
    error: SqlError | None = None
    cancelled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    _result: Result | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        """Unique among all operations."""
        return str(self.identifier.guid.hex())

    def start(self) -> None:
        """Begin the work, in a thread that does not keep the process alive."""
        threading.Thread(target=self._run, name="warehouse-statement", daemon=True).start()

    def _run(self) -> None:
        try:
            if not self.cancelled:
                self._result = self.work(self)
        except SqlError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the client waits for an answer, whatever broke
            _log.exception("the sandbox's SQL warehouse failed")
            self.error = SqlError("INTERNAL_ERROR", f"{type(error).__name__}: {error}", "XX000")
        finally:
            self.touched = time.monotonic()
            self._done.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the work; say whether it has ended."""
        return self._done.wait(seconds)

    def cancel(self) -> None:
        """Stop the work; an operation that has ended keeps its result."""
        if self._done.is_set():
            return
        self.cancelled = True
        deadline = time.monotonic() + _INTERRUPT_PATIENCE
        while self.interrupt(self) and time.monotonic() < deadline:
            if self._done.wait(_INTERRUPT_INTERVAL):
                return

    @property
    def running(self) -> bool:
        """Whether the work goes on."""
        return not self._done.is_set()

    @property
    def state(self) -> int:
        """A ``TOperationState``."""
        if self.cancelled:
            return int(_State.CANCELED_STATE)
        if not self._done.is_set():
            return int(_State.RUNNING_STATE)
        return int(_State.FINISHED_STATE if self.error is None else _State.ERROR_STATE)

    @property
    def modified_rows(self) -> int | None:
        """How many rows a finished DML statement changed."""
        return self._result.modified_rows if self._result and not self.cancelled else None

    def result(self) -> Result:
        """The finished result.

        Raises:
            RequestRefused: There is none, and why.
        """
        if self.cancelled:
            raise RequestRefused(str(cancelled()), sqlstate="HY008")
        if self.error is not None:
            raise RequestRefused(str(self.error), sqlstate=self.error.sqlstate)
        if self._result is None:
            raise RequestRefused("[OPERATION_STILL_RUNNING] The statement has not finished. SQLSTATE: HY010")
        return self._result
