import time

import pytest
from databricks.sql.thrift_api.TCLIService import TCLIService
from databricks.sql.thrift_api.TCLIService import ttypes as t
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TTransportBase

from lakekey_sandbox.warehouse import Warehouse


class Wire(TTransportBase):
    """A transport whose other end is a warehouse, in the name of one subject."""

    def __init__(self, warehouse, subject):
        self.warehouse, self.subject = warehouse, subject
        self.sent, self.answer = bytearray(), b""

    def write(self, data):
        self.sent += data

    def flush(self):
        self.answer, self.sent = self.warehouse.handle(bytes(self.sent), self.subject), bytearray()

    def read(self, size):
        part, self.answer = self.answer[:size], self.answer[size:]
        return part


class Client(TCLIService.Client):
    """The generated client, with the requests that most tests make."""

    def __init__(self, warehouse, subject):
        super().__init__(TBinaryProtocol(Wire(warehouse, subject)))
        self.session = None

    def open(self, **options):
        answer = self.OpenSession(t.TOpenSessionReq(canUseMultipleCatalogs=True, **options))
        self.session = answer.sessionHandle
        return answer

    def run(self, statement, *, direct=True, max_rows=100_000, **options):
        if self.session is None:
            self.open()
        options.setdefault("canReadArrowResult", False)
        results = t.TSparkGetDirectResults(maxRows=max_rows, maxBytes=10_000_000) if direct else None
        request = t.TExecuteStatementReq(self.session, statement, getDirectResults=results, runAsync=True, **options)
        return self.ExecuteStatement(request)

    def column(self, statement, **options):
        """The first column of a result, as text."""
        answer = self.run(statement, **options)
        status = self.end(answer)
        if status.operationState != t.TOperationState.FINISHED_STATE:
            raise AssertionError(status.displayMessage)
        found = answer.directResults.resultSet or self.fetch(answer.operationHandle)
        return found.results.columns[0].stringVal.values

    def problem(self, statement):
        return self.end(self.run(statement)).displayMessage

    def end(self, answer):
        """How a statement ended: on a loaded machine it may run on after its direct results were due."""
        status, deadline = answer.directResults.operationStatus, time.monotonic() + 60
        while status.operationState in (t.TOperationState.RUNNING_STATE, t.TOperationState.PENDING_STATE):
            assert time.monotonic() < deadline
            status = self.state(answer.operationHandle)
        return status

    def state(self, operation):
        return self.GetOperationStatus(t.TGetOperationStatusReq(operation))

    def fetch(self, operation, rows=100_000, **options):
        options.setdefault("orientation", t.TFetchOrientation.FETCH_NEXT)
        return self.FetchResults(t.TFetchResultsReq(operation, maxRows=rows, **options))


@pytest.fixture
def warehouse():
    warehouse = Warehouse()
    yield warehouse
    warehouse.close()


@pytest.fixture
def client_of(warehouse):
    return lambda subject: Client(warehouse, subject)


@pytest.fixture
def ada(client_of):
    return client_of("ada@example.com")
