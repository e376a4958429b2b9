"""Rows that a warehouse keeps elsewhere, behind links: a link that is refused says nothing of the token."""

import time

import pytest
from databricks import sql

from support.thrift_answers import result_behind

HOUR = 3600


def calls(box):
    return sum(record.route == "sql" for record in box.log)


@pytest.mark.parametrize("trouble", ["401", "403", "expired"])
def test_statement_whose_rows_are_not_given_out_is_not_sent_again(box, connection, trouble):
    ends_at = int(time.time()) + (-HOUR if trouble == "expired" else HOUR)
    with connection.cursor() as cursor:
        before = calls(box)
        answer = result_behind(f"{box.host}/results/1", ends_at=ends_at)
        box.fault("sql", status=200, body=answer, content_type="application/x-thrift")
        if trouble != "expired":
            box.fault("other", status=int(trouble), times=None)
        with pytest.raises(sql.exc.Error, match=trouble):
            cursor.execute("insert into written select 1").fetchall()
        assert calls(box) == before + 1
    assert box.counters["token.requests"] == 1, "nothing was refused that is signed with the token"
    with connection.cursor() as cursor:
        assert cursor.execute("select 1").fetchone()[0] == 1
