"""Answers of a SQL warehouse that the sandbox does not give by itself."""

from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from thrift.protocol import TBinaryProtocol
from thrift.Thrift import TMessageType
from thrift.transport import TTransport


def refusal_of_thrift():
    """What a warehouse answers to OpenSession that serves the connector's kernel alone."""
    status = ttypes.TStatus(
        statusCode=ttypes.TStatusCode.ERROR_STATUS, sqlState="KP001", errorMessage="Thrift is not supported here"
    )
    buffer = TTransport.TMemoryBuffer()
    protocol = TBinaryProtocol.TBinaryProtocol(buffer)
    protocol.writeMessageBegin("OpenSession", TMessageType.REPLY, 0)
    version = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8
    session = ttypes.TOpenSessionResp(status=status, serverProtocolVersion=version)
    TCLIService.OpenSession_result(success=session).write(protocol)
    protocol.writeMessageEnd()
    return buffer.getvalue()
