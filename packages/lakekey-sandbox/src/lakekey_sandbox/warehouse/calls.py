"""What each call of ``TCLIService`` does, by its Thrift name."""

from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

from lakekey_sandbox.warehouse import metadata
from lakekey_sandbox.warehouse.engine import Engine, Result
from lakekey_sandbox.warehouse.errors import RequestRefused
from lakekey_sandbox.warehouse.operations import Encoding, Operation
from lakekey_sandbox.warehouse.results import metadata as describe
from lakekey_sandbox.warehouse.results import row_set, rows_within, success
from lakekey_sandbox.warehouse.sessions import Registry, Session

_PROTOCOL = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8
_Kind = ttypes.TOperationType
# A client that waits for a long statement polls. It holds its connection's lock meanwhile, so that a cancel
# from another thread gets its turn between two polls: they may be neither long nor a busy loop.
_DIRECT_PATIENCE = 1.0
_POLL_PATIENCE = 0.2
_FETCH_BYTES = 100 * 1024 * 1024
_INFO = {
    ttypes.TGetInfoType.CLI_SERVER_NAME: "Spark SQL",
    ttypes.TGetInfoType.CLI_DBMS_NAME: "Spark SQL",
    ttypes.TGetInfoType.CLI_DBMS_VER: "3.5.0",
}


class Host(Protocol):
    """What a call needs of the warehouse that answers it."""

    @property
    def registry(self) -> Registry:
        """Who holds which session and which operation."""

    @property
    def engine(self) -> Engine:
        """Where sessions are opened."""

    def run(self, session: Session, operation: Operation, request: ttypes.TExecuteStatementReq) -> Result:
        """Run a client's statement in its session."""


def _open_session(host: Host, subject: str, request: ttypes.TOpenSessionReq) -> Any:
    namespace = request.initialNamespace or ttypes.TNamespace()
    engine = host.engine.open_session(subject, namespace.catalogName, namespace.schemaName, request.configuration or {})
    session = Session(subject, engine)
    host.registry.add_session(session)
    return ttypes.TOpenSessionResp(
        status=success(),
        serverProtocolVersion=_PROTOCOL,
        sessionHandle=ttypes.TSessionHandle(session.identifier, serverProtocolVersion=_PROTOCOL),
        configuration={},
        initialNamespace=request.initialNamespace,
        canUseMultipleCatalogs=True,
        getInfos=[],
    )


def _close_session(host: Host, subject: str, request: ttypes.TCloseSessionReq) -> Any:
    host.registry.drop_session(host.registry.session(request.sessionHandle, subject))
    return ttypes.TCloseSessionResp(status=success())


def _get_info(host: Host, subject: str, request: ttypes.TGetInfoReq) -> Any:
    host.registry.session(request.sessionHandle, subject)
    if request.infoType not in _INFO:
        raise RequestRefused(f"Unrecognized GetInfoType value: {request.infoType}", sqlstate="HY096")
    value = ttypes.TGetInfoValue(stringValue=_INFO[request.infoType])
    return ttypes.TGetInfoResp(status=success(), infoValue=value)


def _execute(host: Host, subject: str, request: ttypes.TExecuteStatementReq) -> Any:
    session = host.registry.session(request.sessionHandle, subject)
    native = request.useArrowNativeTypes or ttypes.TSparkArrowTypes()
    operation = Operation(
        _Kind.EXECUTE_STATEMENT,
        work=lambda run: host.run(session, run, request),
        interrupt=session.engine.interrupt,
        encoding=Encoding(
            arrow=bool(request.canReadArrowResult),
            lz4=bool(request.canDecompressLZ4Result),
            native_decimals=bool(native.decimalAsArrow),
            native_timestamps=bool(native.timestampAsArrow),
            native_complex=bool(native.complexTypesAsArrow),
        ),
    )
    return _begin(host, session, operation, request.getDirectResults, ttypes.TExecuteStatementResp)


def _begin(host: Host, session: Session, operation: Operation, direct: Any, reply: Callable[..., Any]) -> Any:
    host.registry.add_operation(session, operation)
    operation.start()
    # A client that asks for no direct results wants its handle at once, and polls.
    results = _direct_results(host, operation, direct) if direct else None
    return reply(status=success(), operationHandle=_handle(operation), directResults=results)


def _handle(operation: Operation) -> ttypes.TOperationHandle:
    return ttypes.TOperationHandle(operation.identifier, operation.kind, hasResultSet=True)


def _direct_results(
    host: Host, operation: Operation, direct: ttypes.TSparkGetDirectResults
) -> ttypes.TSparkDirectResults:
    operation.wait(_DIRECT_PATIENCE)
    status = _status(operation)
    if status.operationState != ttypes.TOperationState.FINISHED_STATE:
        return ttypes.TSparkDirectResults(operationStatus=status)
    table = operation.result().table
    fetched = _next_rows(operation, direct.maxRows, direct.maxBytes)
    closed = None
    if not fetched.hasMoreRows:
        host.registry.drop_operation(operation)
        closed = ttypes.TCloseOperationResp(status=success())
    return ttypes.TSparkDirectResults(
        operationStatus=status,
        resultSetMetadata=describe(table, operation.encoding),
        resultSet=fetched,
        closeOperation=closed,
    )


def _next_rows(operation: Operation, max_rows: int | None, max_bytes: int | None) -> ttypes.TFetchResultsResp:
    table = operation.result().table
    with operation.lock:
        offset = operation.offset
        count = rows_within(table, offset, max_rows, min(max_bytes or _FETCH_BYTES, _FETCH_BYTES))
        operation.offset += count
    return ttypes.TFetchResultsResp(
        status=success(),
        hasMoreRows=offset + count < table.num_rows,
        results=row_set(table, offset, count, operation.encoding),
    )


def _status(operation: Operation) -> ttypes.TGetOperationStatusResp:
    state, error = operation.state, operation.error
    status = ttypes.TGetOperationStatusResp(
        status=success(),
        operationState=state,
        operationStarted=int(operation.started * 1000),
        hasResultSet=True,
        numModifiedRows=operation.modified_rows,
    )
    if state == ttypes.TOperationState.ERROR_STATE and error is not None:
        status.sqlState = error.sqlstate
        status.errorMessage = f"Error running query: {error}"
        status.displayMessage = str(error)
        status.diagnosticInfo = status.errorMessage
    return status


def _operation_status(host: Host, subject: str, request: ttypes.TGetOperationStatusReq) -> Any:
    operation = host.registry.operation(request.operationHandle, subject)
    operation.wait(_POLL_PATIENCE)
    return _status(operation)


def _fetch(host: Host, subject: str, request: ttypes.TFetchResultsReq) -> Any:
    operation = host.registry.operation(request.operationHandle, subject)
    if request.orientation == ttypes.TFetchOrientation.FETCH_FIRST:
        with operation.lock:
            operation.offset = 0
    elif request.orientation != ttypes.TFetchOrientation.FETCH_NEXT:
        raise RequestRefused("Only FETCH_NEXT and FETCH_FIRST are supported", sqlstate="HY106")
    answer = _next_rows(operation, request.maxRows, request.maxBytes)
    if request.includeResultSetMetadata:
        answer.resultSetMetadata = describe(operation.result().table, operation.encoding)
    return answer


def _result_metadata(host: Host, subject: str, request: ttypes.TGetResultSetMetadataReq) -> Any:
    operation = host.registry.operation(request.operationHandle, subject)
    return describe(operation.result().table, operation.encoding)


def _cancel(host: Host, subject: str, request: ttypes.TCancelOperationReq) -> Any:
    host.registry.operation(request.operationHandle, subject).cancel()
    return ttypes.TCancelOperationResp(status=success())


def _close(host: Host, subject: str, request: ttypes.TCloseOperationReq) -> Any:
    host.registry.drop_operation(host.registry.operation(request.operationHandle, subject))
    return ttypes.TCloseOperationResp(status=success())


def _listing(
    kind: int, reply: Callable[..., Any], listed: Callable[[Session, Any], pa.Table]
) -> Callable[[Host, str, Any], Any]:
    """A metadata call: the rows come from a function, the way there is that of a statement."""

    def call(host: Host, subject: str, request: Any) -> Any:
        session = host.registry.session(request.sessionHandle, subject)
        operation = Operation(
            kind,
            work=lambda _: Result(listed(session, request)),
            interrupt=lambda _: False,
            # These requests do not say what the client reads. Thrift columns serve every client.
            encoding=Encoding(arrow=False),
        )
        return _begin(host, session, operation, request.getDirectResults, reply)

    return call


def _catalogs(session: Session, _: ttypes.TGetCatalogsReq) -> pa.Table:
    return metadata.catalogs(session.engine)


def _schemas(session: Session, it: ttypes.TGetSchemasReq) -> pa.Table:
    return metadata.schemas(session.engine, it.catalogName, it.schemaName)


def _tables(session: Session, it: ttypes.TGetTablesReq) -> pa.Table:
    return metadata.tables(session.engine, it.catalogName, it.schemaName, it.tableName, it.tableTypes)


def _columns(session: Session, it: ttypes.TGetColumnsReq) -> pa.Table:
    return metadata.columns(session.engine, it.catalogName, it.schemaName, it.tableName, it.columnName)


def _primary_keys(session: Session, it: ttypes.TGetPrimaryKeysReq) -> pa.Table:
    return metadata.primary_keys(session.engine, it.catalogName, it.schemaName, it.tableName)


CALLS: dict[str, Callable[[Host, str, Any], Any]] = {
    "OpenSession": _open_session,
    "CloseSession": _close_session,
    "GetInfo": _get_info,
    "ExecuteStatement": _execute,
    "GetOperationStatus": _operation_status,
    "FetchResults": _fetch,
    "GetResultSetMetadata": _result_metadata,
    "CancelOperation": _cancel,
    "CloseOperation": _close,
    "GetCatalogs": _listing(_Kind.GET_CATALOGS, ttypes.TGetCatalogsResp, _catalogs),
    "GetSchemas": _listing(_Kind.GET_SCHEMAS, ttypes.TGetSchemasResp, _schemas),
    "GetTables": _listing(_Kind.GET_TABLES, ttypes.TGetTablesResp, _tables),
    "GetTableTypes": _listing(_Kind.GET_TABLE_TYPES, ttypes.TGetTableTypesResp, lambda _, __: metadata.table_types()),
    "GetColumns": _listing(_Kind.GET_COLUMNS, ttypes.TGetColumnsResp, _columns),
    "GetTypeInfo": _listing(_Kind.GET_TYPE_INFO, ttypes.TGetTypeInfoResp, lambda _, __: metadata.type_info()),
    "GetPrimaryKeys": _listing(_Kind.UNKNOWN, ttypes.TGetPrimaryKeysResp, _primary_keys),
}
