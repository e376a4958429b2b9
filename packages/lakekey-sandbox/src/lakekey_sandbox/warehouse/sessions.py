"""Who holds which session and which operation."""

import hmac
import threading
import time
from dataclasses import dataclass, field

from databricks.sql.thrift_api.TCLIService import ttypes

from lakekey_sandbox.warehouse.engine import EngineSession
from lakekey_sandbox.warehouse.errors import RequestRefused
from lakekey_sandbox.warehouse.operations import Operation, new_identifier


@dataclass(eq=False)
class Session:
    """An open session and its operations.

    Attributes:
        subject: The user that it belongs to.
        engine: Where its statements run.
        touched: Monotonic seconds of the last request in it.
    """

    subject: str
    engine: EngineSession
    identifier: ttypes.THandleIdentifier = field(default_factory=new_identifier)
    operations: dict[bytes, Operation] = field(default_factory=dict)
    touched: float = field(default_factory=time.monotonic)


class Registry:
    """The open handles. A handle works for the subject that it was given to, and for no other.

    Args:
        session_idle: Seconds without a request after which a session is closed.
        operation_idle: Seconds without a request after which the rows of a finished operation are freed.
    """

    def __init__(self, session_idle: float, operation_idle: float) -> None:
        self._session_idle = session_idle
        self._operation_idle = operation_idle
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}
        self._owners: dict[bytes, Session] = {}

    def add_session(self, session: Session) -> None:
        """Take a new session in."""
        with self._lock:
            self._sessions[session.identifier.guid] = session

    def add_operation(self, session: Session, operation: Operation) -> None:
        """Take a new operation of a session in.

        Raises:
            RequestRefused: The session was closed meanwhile.
        """
        guid = operation.identifier.guid
        with self._lock:
            if session.identifier.guid not in self._sessions:
                raise _invalid("SessionHandle", session.identifier.guid)
            session.operations[guid] = operation
            self._owners[guid] = session

    def session(self, handle: ttypes.TSessionHandle | None, subject: str) -> Session:
        """The session of a handle.

        Raises:
            RequestRefused: There is none, or it belongs to another user: the answer does not tell which.
        """
        identifier = handle.sessionId if handle else None
        with self._lock:
            found = self._sessions.get(identifier.guid) if identifier else None
            if found is None or found.subject != subject or not _proves(identifier, found.identifier):
                raise _invalid("SessionHandle", identifier.guid if identifier else b"")
            found.touched = time.monotonic()
            return found

    def operation(self, handle: ttypes.TOperationHandle | None, subject: str) -> Operation:
        """The operation of a handle.

        Raises:
            RequestRefused: There is none, or it belongs to another user: the answer does not tell which.
        """
        identifier = handle.operationId if handle else None
        with self._lock:
            session = self._owners.get(identifier.guid) if identifier else None
            found = session.operations[identifier.guid] if session and identifier else None
            if (
                session is None
                or found is None
                or session.subject != subject
                or not _proves(identifier, found.identifier)
            ):
                raise _invalid("OperationHandle", identifier.guid if identifier else b"")
            session.touched = found.touched = time.monotonic()
            return found

    def drop_operation(self, operation: Operation) -> None:
        """Forget an operation and free its rows; stop it if it runs."""
        guid = operation.identifier.guid
        with self._lock:
            session = self._owners.pop(guid, None)
            if session is not None:
                session.operations.pop(guid, None)
        operation.cancel()

    def drop_session(self, session: Session) -> None:
        """Close a session with all its operations."""
        with self._lock:
            self._sessions.pop(session.identifier.guid, None)
            operations = list(session.operations.values())
            for operation in operations:
                self._owners.pop(operation.identifier.guid, None)
            session.operations.clear()
        for operation in operations:
            operation.cancel()
        session.engine.close()

    def sweep(self) -> None:
        """Free what its client has forgotten. A running statement keeps its session open."""
        now = time.monotonic()
        with self._lock:
            sessions = [
                session
                for session in self._sessions.values()
                if now - session.touched > self._session_idle
                and not any(operation.running for operation in session.operations.values())
            ]
            operations = [
                operation
                for session in self._sessions.values()
                for operation in session.operations.values()
                if not operation.running and now - operation.touched > self._operation_idle
            ]
        for operation in operations:
            self.drop_operation(operation)
        for session in sessions:
            self.drop_session(session)

    def open_handles(self) -> tuple[int, int]:
        """How many sessions and operations are open."""
        with self._lock:
            return len(self._sessions), len(self._owners)

    def close(self) -> None:
        """Close every session."""
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            self.drop_session(session)


def _proves(given: ttypes.THandleIdentifier | None, ours: ttypes.THandleIdentifier) -> bool:
    return given is not None and hmac.compare_digest(given.secret or b"", ours.secret)


def _invalid(kind: str, guid: bytes) -> RequestRefused:
    return RequestRefused(
        f"Invalid {kind}: {kind} [{guid.hex()}]",
        code=ttypes.TStatusCode.INVALID_HANDLE_STATUS,
        sqlstate="HY000",
    )
