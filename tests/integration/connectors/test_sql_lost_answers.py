"""An answer of the warehouse gets lost: what the connector then sends again by itself, and what not."""

import pytest
from databricks import sql


def test_statement_whose_answer_is_lost_is_not_sent_again(box, connection, written):
    before = box.counters["statements"]
    box.fault("sql", drop_after=True)
    with connection.cursor() as cursor, pytest.raises(sql.exc.RequestError) as caught:
        cursor.execute("insert into written values (1)")
    assert "the statement may have run, and was not sent again" in str(caught.value.__cause__)
    assert box.counters["statements"] == before + 1
    assert written() == 1
    with connection.cursor() as cursor:
        assert cursor.execute("select 2").fetchone()[0] == 2, "the connection goes on"


def test_read_whose_answer_is_lost_is_sent_again_by_the_connector(box, connection):
    box.fault("sql", drop_after=True)
    with connection.cursor() as cursor:
        assert cursor.execute("select 1").fetchone()[0] == 1


def test_refusal_of_the_connectors_second_attempt_does_not_say_that_nothing_has_run(box, connection):
    box.fault("sql", drop_after=True)
    box.fault("sql", status=401)
    before = box.counters["statements"]
    with connection.cursor() as cursor, pytest.raises(sql.exc.RequestError) as caught:
        cursor.execute("select 1")
    assert str(caught.value.context["attempt"]).startswith("2/")
    assert "it may have run" in caught.value.__cause__.message
    assert box.counters["statements"] == before + 1
