"""Sessions and operations: whose they are, and how long they live."""

import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t

from lakekey_sandbox.warehouse import Warehouse
from support.waiting import until

OK = t.TStatusCode.SUCCESS_STATUS
INVALID = t.TStatusCode.INVALID_HANDLE_STATUS
SLOW = "select count(*) from range(1000000) a cross join range(1000000) b where (a.id * b.id) % 7 = 3"


def forged(handle):
    identifier = t.THandleIdentifier(guid=handle.operationId.guid, secret=b"\0" * 16)
    return t.TOperationHandle(identifier, handle.operationType, hasResultSet=True)


def test_a_session_opens_with_the_protocol_that_the_connector_wants(ada):
    answer = ada.open()
    assert answer.status.statusCode == OK
    assert answer.serverProtocolVersion == t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8
    assert answer.canUseMultipleCatalogs


def test_each_session_answers_current_user_with_its_own_subject(client_of):
    users = ["ada@example.com", "o'brien@example.com"]
    assert [client_of(user).column("select current_user()") for user in users] == [[user] for user in users]


def test_a_session_is_invalid_for_another_subject(ada, client_of):
    grace = client_of("grace@example.com")
    grace.session = ada.open().sessionHandle
    answer = grace.run("select 1")
    assert answer.status.statusCode == INVALID
    assert answer.status.errorMessage.startswith("Invalid SessionHandle")
    assert ada.column("select 'still mine'") == ["still mine"]


@pytest.mark.parametrize("call", ["CloseSession", "GetInfo", "GetCatalogs", "GetTables"])
def test_every_call_refuses_the_session_of_another_subject(call, ada, client_of):
    handle = ada.open().sessionHandle
    request = getattr(t, f"T{call}Req")(sessionHandle=handle)
    assert getattr(client_of("grace@example.com"), call)(request).status.statusCode == INVALID


def test_every_call_refuses_the_operation_of_another_subject(ada, client_of):
    operation = ada.run("select 1", direct=False).operationHandle
    grace = client_of("grace@example.com")
    grace.open()
    answers = [
        grace.state(operation),
        grace.fetch(operation),
        grace.GetResultSetMetadata(t.TGetResultSetMetadataReq(operation)),
        grace.CancelOperation(t.TCancelOperationReq(operation)),
        grace.CloseOperation(t.TCloseOperationReq(operation)),
    ]
    assert [answer.status.statusCode for answer in answers] == [INVALID] * 5
    assert ada.state(operation).operationState == t.TOperationState.FINISHED_STATE


def test_a_guessed_name_without_its_secret_is_invalid(ada):
    operation = ada.run("select 1", direct=False).operationHandle
    assert ada.state(forged(operation)).status.statusCode == INVALID
    assert ada.state(operation).status.statusCode == OK


def test_a_request_without_a_handle_is_invalid(ada):
    assert ada.run("select 1").status.statusCode == OK
    assert ada.GetOperationStatus(t.TGetOperationStatusReq()).status.statusCode == INVALID
    assert ada.ExecuteStatement(t.TExecuteStatementReq(statement="select 1")).status.statusCode == INVALID


def test_an_operation_whose_rows_all_fit_is_closed_at_once(ada, warehouse):
    answer = ada.run("select 1")
    assert answer.directResults.closeOperation.status.statusCode == OK
    assert warehouse.registry.open_handles() == (1, 0)
    assert ada.state(answer.operationHandle).status.statusCode == INVALID


def test_an_operation_with_more_rows_stays_until_it_is_closed(ada, warehouse):
    answer = ada.run("select * from range(10)", max_rows=4)
    assert answer.directResults.closeOperation is None
    assert answer.directResults.resultSet.hasMoreRows
    assert warehouse.registry.open_handles() == (1, 1)
    ada.CloseOperation(t.TCloseOperationReq(answer.operationHandle))
    assert warehouse.registry.open_handles() == (1, 0)


def test_closing_a_session_frees_its_operations_and_ends_what_runs(ada, warehouse):
    finished = ada.run("select 1", direct=False).operationHandle
    running = ada.run(SLOW, direct=False).operationHandle
    ada.state(running)
    assert ada.CloseSession(t.TCloseSessionReq(ada.session)).status.statusCode == OK
    assert warehouse.registry.open_handles() == (0, 0)
    assert ada.state(finished).status.statusCode == INVALID
    assert ada.run("select 1").status.statusCode == INVALID


def test_a_cancelled_statement_says_so_and_its_session_goes_on(ada):
    operation = ada.run(SLOW, direct=False).operationHandle
    assert ada.state(operation).operationState == t.TOperationState.RUNNING_STATE
    ada.CancelOperation(t.TCancelOperationReq(operation))
    assert ada.state(operation).operationState == t.TOperationState.CANCELED_STATE
    refused = ada.fetch(operation).status
    assert (refused.statusCode, refused.sqlState) == (t.TStatusCode.ERROR_STATUS, "HY008")
    assert ada.column("select 'next'") == ["next"]


def test_a_statement_that_waits_for_its_turn_is_cancelled_too(ada):
    running = ada.run(SLOW, direct=False).operationHandle
    waiting = ada.run("create table never (a int)", direct=False).operationHandle
    ada.CancelOperation(t.TCancelOperationReq(waiting))
    ada.CancelOperation(t.TCancelOperationReq(running))
    assert "TABLE_OR_VIEW_NOT_FOUND" in ada.problem("select * from never")


def test_cancelling_a_finished_statement_keeps_its_rows(ada):
    operation = ada.run("select 1", direct=False).operationHandle
    while ada.state(operation).operationState != t.TOperationState.FINISHED_STATE:
        pass
    ada.CancelOperation(t.TCancelOperationReq(operation))
    assert ada.fetch(operation).results.columns[0].i32Val.values == [1]


def test_a_running_statement_has_no_rows_yet(ada):
    operation = ada.run(SLOW, direct=False).operationHandle
    assert "OPERATION_STILL_RUNNING" in ada.fetch(operation).status.errorMessage
    ada.CancelOperation(t.TCancelOperationReq(operation))


@pytest.mark.parametrize(("idle", "left"), [({"operation_idle": 0.05}, (1, 0)), ({"session_idle": 0.05}, (0, 0))])
def test_forgotten_operations_and_sessions_are_freed(client_of, idle, left):
    warehouse = Warehouse(**idle)
    try:
        forgetful = type(client_of("x"))(warehouse, "forgetful@example.com")
        forgetful.run("select 1", direct=False)
        assert warehouse.registry.open_handles() == (1, 1)
        until(lambda: warehouse.registry.sweep() or warehouse.registry.open_handles() == left)
    finally:
        warehouse.close()


def test_a_running_statement_keeps_its_session_from_being_swept(client_of):
    warehouse = Warehouse(session_idle=0.0, operation_idle=0.0)
    try:
        client = type(client_of("x"))(warehouse, "patient@example.com")
        session = client.open()
        client.session = session.sessionHandle
        request = t.TExecuteStatementReq(client.session, SLOW, runAsync=True)
        held = warehouse.registry.session
        # The sweep at the start of the request would end the idle session before it is used.
        warehouse.registry.sweep, sweep = (lambda: None), warehouse.registry.sweep
        operation = client.ExecuteStatement(request).operationHandle
        sweep()
        assert held(client.session, "patient@example.com").operations
        client.CancelOperation(t.TCancelOperationReq(operation))
    finally:
        warehouse.close()
