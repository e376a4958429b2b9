"""The Thrift service: what every message is answered with."""

import lz4.frame
import pyarrow as pa
import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException, TMessageType
from thrift.transport.TTransport import TMemoryBuffer

from lakekey_sandbox.warehouse import Warehouse


def test_only_statements_are_counted(ada, warehouse):
    ada.run("select 1")
    ada.run("select * from nowhere")
    ada.GetCatalogs(t.TGetCatalogsReq(ada.session))
    assert warehouse.statements == 2


def test_an_unknown_engine_is_a_value_error():
    with pytest.raises(ValueError, match="no engine 'oracle'"):
        Warehouse(engine="oracle")


@pytest.mark.parametrize("body", [b"", b"<html>", b"\x80\x01\x00\x01\xff\xff\xff\xff"])
def test_a_body_that_is_not_a_thrift_message_is_a_value_error(body, warehouse):
    with pytest.raises(ValueError, match="not a Thrift message"):
        warehouse.handle(body, "ada@example.com")


def test_a_call_that_is_not_part_of_the_protocol_is_an_application_exception(warehouse):
    given = TMemoryBuffer()
    protocol = TBinaryProtocol(given)
    protocol.writeMessageBegin("Explode", TMessageType.CALL, 7)
    protocol.writeStructBegin("none")
    protocol.writeFieldStop()
    protocol.writeStructEnd()
    protocol.writeMessageEnd()
    answer = TBinaryProtocol(TMemoryBuffer(warehouse.handle(given.getvalue(), "ada@example.com")))
    name, kind, sequence = answer.readMessageBegin()
    assert (name, kind, sequence) == ("Explode", TMessageType.EXCEPTION, 7)
    refusal = TApplicationException()
    refusal.read(answer)
    assert refusal.type == TApplicationException.UNKNOWN_METHOD


def test_a_call_that_the_sandbox_lacks_is_an_error_status(ada):
    ada.open()
    status = ada.GetFunctions(t.TGetFunctionsReq(ada.session, functionName="x")).status
    assert (status.statusCode, status.sqlState) == (t.TStatusCode.ERROR_STATUS, "0A000")


def test_get_info_names_the_server(ada):
    ada.open()
    answer = ada.GetInfo(t.TGetInfoReq(ada.session, t.TGetInfoType.CLI_DBMS_NAME))
    assert answer.infoValue.stringValue == "Spark SQL"
    unknown = ada.GetInfo(t.TGetInfoReq(ada.session, t.TGetInfoType.CLI_MAX_ROW_SIZE))
    assert unknown.status.statusCode == t.TStatusCode.ERROR_STATUS


def test_a_failure_is_told_as_databricks_tells_it(ada):
    status = ada.run("select * from nowhere").directResults.operationStatus
    assert status.operationState == t.TOperationState.ERROR_STATE
    assert status.sqlState == "42P01"
    assert status.displayMessage.startswith("[TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere` cannot be found.")
    assert status.displayMessage.endswith("SQLSTATE: 42P01")


def test_arrow_batches_are_lz4_frames_where_the_client_asks(ada):
    native = t.TSparkArrowTypes(True, True, True)
    for compressed in (True, False):
        results = ada.run(
            "select id from range(3) order by id",
            canReadArrowResult=True,
            canDecompressLZ4Result=compressed,
            useArrowNativeTypes=native,
        ).directResults
        assert results.resultSetMetadata.lz4Compressed is compressed
        (batch,) = results.resultSet.results.arrowBatches
        body = lz4.frame.decompress(batch.batch) if compressed else batch.batch
        table = pa.ipc.open_stream(results.resultSetMetadata.arrowSchema + body).read_all()
        assert (table.to_pydict(), batch.rowCount) == ({"id": [0, 1, 2]}, 3)


def test_a_client_without_arrow_gets_thrift_columns(ada):
    answer = ada.run("select 1 as a, cast(1.5 as decimal(5,2)) as b, date'2024-01-01' as c, array(1) as d, null as e")
    results = answer.directResults
    assert results.resultSetMetadata.resultFormat == t.TSparkRowSetType.COLUMN_BASED_SET
    columns = results.resultSet.results.columns
    assert columns[0].i32Val.values == [1]
    assert [column.stringVal.values for column in columns[1:]] == [["1.50"], ["2024-01-01"], ["[1]"], [""]]
    assert columns[4].stringVal.nulls == b"\x01"


def test_decimals_carry_precision_and_scale(ada):
    schema = ada.run("select cast(1 as decimal(12,3))").directResults.resultSetMetadata.schema
    qualifiers = schema.columns[0].typeDesc.types[0].primitiveEntry.typeQualifiers.qualifiers
    assert (qualifiers["precision"].i32Value, qualifiers["scale"].i32Value) == (12, 3)


def test_rows_are_fetched_in_order_and_again_from_the_first(ada):
    operation = ada.run("select id from range(5) order by id", direct=False).operationHandle
    while ada.state(operation).operationState != t.TOperationState.FINISHED_STATE:
        pass
    pages = [ada.fetch(operation, rows=2) for _ in range(3)]
    assert [page.results.columns[0].i64Val.values for page in pages] == [[0, 1], [2, 3], [4]]
    assert [page.results.startRowOffset for page in pages] == [0, 2, 4]
    assert [page.hasMoreRows for page in pages] == [True, True, False]
    again = ada.fetch(operation, orientation=t.TFetchOrientation.FETCH_FIRST)
    assert again.results.columns[0].i64Val.values == [0, 1, 2, 3, 4]
    back = ada.fetch(operation, orientation=t.TFetchOrientation.FETCH_PRIOR)
    assert back.status.statusCode == t.TStatusCode.ERROR_STATUS


def test_a_row_limit_is_kept(ada):
    answer = ada.run("select id from range(10)", resultRowLimit=3)
    assert len(answer.directResults.resultSet.results.columns[0].i64Val.values) == 3


def test_dml_reports_its_rows_in_the_status(ada):
    ada.run("create table t (a int)")
    assert ada.run("insert into t values (1), (2)").directResults.operationStatus.numModifiedRows == 2
    assert ada.run("select * from t").directResults.operationStatus.numModifiedRows is None


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("GetTableTypes", ["TABLE_TYPE"]),
        ("GetTypeInfo", ["TYPE_NAME", "DATA_TYPE", "PRECISION"]),
        ("GetPrimaryKeys", ["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME", "KEY_SEQ", "PK_NAME"]),
    ],
)
def test_the_other_metadata_calls_have_their_columns(call, names, ada):
    ada.open()
    request = getattr(t, f"T{call}Req")(ada.session, getDirectResults=t.TSparkGetDirectResults(100, 10_000))
    schema = getattr(ada, call)(request).directResults.resultSetMetadata.schema
    assert [column.columnName for column in schema.columns] == names


def test_primary_keys_of_a_table_are_listed_in_their_order(ada):
    ada.run("create table keyed (a int, b int, c int, constraint both_columns primary key (b, a))")
    ada.run("create table plain (a int)")
    results = t.TSparkGetDirectResults(100, 10_000)
    request = t.TGetPrimaryKeysReq(ada.session, catalogName="main", schemaName="default", getDirectResults=results)
    columns = ada.GetPrimaryKeys(request).directResults.resultSet.results.columns
    found = [next(value for value in vars(column).values() if value is not None).values for column in columns]
    assert list(zip(*found, strict=True)) == [
        ("main", "default", "keyed", "b", 1, "both_columns"),
        ("main", "default", "keyed", "a", 2, "both_columns"),
    ]
