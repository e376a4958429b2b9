"""Answers of a SQL warehouse that the sandbox does not give by itself."""

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from thrift.protocol import TBinaryProtocol
from thrift.Thrift import TMessageType
from thrift.transport import TTransport


def refusal_of_thrift():
    """What a warehouse answers to OpenSession that serves the connector's kernel alone."""
    status = ttypes.TStatus(
        statusCode=ttypes.TStatusCode.ERROR_STATUS, sqlState="KP001", errorMessage="Thrift is not supported here"
    )
    version = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8
    session = ttypes.TOpenSessionResp(status=status, serverProtocolVersion=version)
    return _reply("OpenSession", TCLIService.OpenSession_result(success=session))


def result_behind(link, *, ends_at):
    """What a warehouse answers to a statement whose only file of rows is to be fetched elsewhere.

    Args:
        link: The file's address.
        ends_at: When the address ends, in seconds of Unix time.
    """
    success = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)
    column = ttypes.TColumnDesc(
        columnName="n",
        position=1,
        typeDesc=ttypes.TTypeDesc(
            types=[ttypes.TTypeEntry(primitiveEntry=ttypes.TPrimitiveTypeEntry(type=ttypes.TTypeId.INT_TYPE))]
        ),
    )
    file = ttypes.TSparkArrowResultLink(
        fileLink=link, expiryTime=ends_at, startRowOffset=0, rowCount=1, bytesNum=100, httpHeaders={}
    )
    handle = ttypes.TOperationHandle(
        operationId=ttypes.THandleIdentifier(guid=b"g" * 16, secret=b"s" * 16),
        operationType=ttypes.TOperationType.EXECUTE_STATEMENT,
        hasResultSet=True,
    )
    direct = ttypes.TSparkDirectResults(
        operationStatus=ttypes.TGetOperationStatusResp(
            status=success, operationState=ttypes.TOperationState.FINISHED_STATE
        ),
        resultSetMetadata=ttypes.TGetResultSetMetadataResp(
            status=success,
            schema=ttypes.TTableSchema(columns=[column]),
            resultFormat=ttypes.TSparkRowSetType.URL_BASED_SET,
            lz4Compressed=False,
            arrowSchema=pa.schema([("n", pa.int32())]).serialize().to_pybytes(),
        ),
        resultSet=ttypes.TFetchResultsResp(
            status=success,
            hasMoreRows=False,
            results=ttypes.TRowSet(startRowOffset=0, rows=[], resultLinks=[file]),
        ),
    )
    answer = ttypes.TExecuteStatementResp(status=success, operationHandle=handle, directResults=direct)
    return _reply("ExecuteStatement", TCLIService.ExecuteStatement_result(success=answer))


def _reply(call, result):
    buffer = TTransport.TMemoryBuffer()
    protocol = TBinaryProtocol.TBinaryProtocol(buffer)
    protocol.writeMessageBegin(call, TMessageType.REPLY, 0)
    result.write(protocol)
    protocol.writeMessageEnd()
    return buffer.getvalue()
