"""The SQL route: Thrift messages of signed-in clients, for a warehouse that starts when it is needed."""

import os
import shutil
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from lakekey_sandbox.bearer import Bearer, api_error
from lakekey_sandbox.https import LOG
from lakekey_sandbox.realm import Realm

if TYPE_CHECKING:
    from lakekey_sandbox.warehouse import Warehouse

WAREHOUSE_ID = "sandbox"


def require_engine(engine: str) -> None:
    """Look for what an engine needs, without loading it.

    Args:
        engine: ``duckdb`` or ``spark``.

    Raises:
        ImportError: It is not installed; the message says how to install it.
    """
    if engine != "spark":
        return
    if not _installed("pyspark"):
        raise ImportError("the engine spark needs pyspark: pip install 'lakekey[spark]'", name="pyspark")
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=os.path.join(home, "bin") if home else None) is None:
        raise ImportError("the engine spark needs a Java runtime on the path, or JAVA_HOME", name="java")


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # the import system was told that it is not there
        return False


class NotStarted(Exception):
    """The SQL engine does not start: one of a release that does not fit, or without what it needs."""


class LazyWarehouse:
    """The SQL warehouse, started by the first statement.

    Args:
        engine: ``duckdb`` or ``spark``.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._warehouse: Warehouse | None = None

    def handle(self, body: bytes, subject: str) -> bytes:
        """Answers one Thrift message of a subject.

        Raises:
            NotStarted: There is no warehouse to answer it.
        """
        with self._lock:
            if self._warehouse is None:
                self._warehouse = self._start()
            warehouse = self._warehouse
        return warehouse.handle(body, subject)

    def _start(self) -> "Warehouse":
        try:
            from lakekey_sandbox.warehouse import Warehouse

            return Warehouse(engine=self._engine)
        except ImportError as error:
            raise NotStarted(f"the SQL engine is not installed: {error.name} is missing") from error
        except Exception as error:
            LOG.exception("the SQL engine does not start")
            raise NotStarted(f"the SQL engine does not start: {type(error).__name__}: {error}") from error

    @property
    def statements(self) -> int:
        """How many statements ran."""
        return self._warehouse.statements if self._warehouse is not None else 0

    def close(self) -> None:
        """Ends all sessions."""
        with self._lock:
            if self._warehouse is not None:
                self._warehouse.close()
                self._warehouse = None


def mount(app: Flask, realm: Realm, warehouse: LazyWarehouse) -> None:
    """Adds the SQL route to the application.

    Args:
        app: The application.
        realm: The sandbox's state.
        warehouse: What runs SQL.
    """
    bearer = Bearer(realm)

    @app.post("/sql/1.0/warehouses/<warehouse_id>")
    def _sql(warehouse_id: str) -> Response:
        subject = bearer.subject("sql", "all-apis")
        if warehouse_id != WAREHOUSE_ID:
            return api_error(404, "RESOURCE_DOES_NOT_EXIST", f"SQL warehouse {warehouse_id} does not exist")
        try:
            answer = warehouse.handle(request.get_data(), subject.name)
        except NotStarted as error:
            # 501 is the failure that the connectors do not retry for minutes.
            return api_error(501, "NOT_IMPLEMENTED", str(error))
        except ValueError:
            return api_error(400, "MALFORMED_REQUEST", "the body is no Thrift message")
        return Response(answer, content_type="application/x-thrift")
