"""What ``lakekey logout`` says of a sign-out whose wait ended before it did."""

import pytest

from lakekey._single_flight import Cancelled, Commitment, Waiter
from lakekey.cli import logout


class Row:
    """What is signed out of: still stored when it is looked for."""

    entry_id = "a" * 64


@pytest.fixture
def stored(monkeypatch):
    """A cache in which every entry is found."""

    class Found:
        store = property(lambda self: self)

        def get(self, entry_id):
            return b"sealed"

    monkeypatch.setattr(logout, "open_cache", Found)


@pytest.fixture
def calls(monkeypatch):
    """The sign-outs that are asked for. The wait for the first is cancelled."""
    made = []

    def of_row(row):
        made.append(row)
        if len(made) == 1:
            raise Cancelled
        return logout._Done(None, "https://dbc-1.cloud.databricks.com", removed=False, revocation=None)

    monkeypatch.setattr(logout, "_of_row", of_row)
    return made


def test_sign_out_that_has_begun_is_joined_and_reported(stored, calls):
    waiter = Waiter()
    waiter.commitment = Commitment()
    waiter.commitment.commit()
    try:
        done = logout._as_waiter(waiter, Row())
    finally:
        waiter.commitment.settled()
    assert (done.removed, done.revocation, len(calls)) == (True, "failed", 2)


@pytest.mark.parametrize("commitment", [None, Commitment()], ids=["before a flight", "before the removal"])
def test_sign_out_that_has_not_begun_is_not_reported(stored, calls, commitment):
    waiter = Waiter()
    waiter.commitment = commitment
    with pytest.raises(Cancelled):
        logout._as_waiter(waiter, Row())
    assert len(calls) == 1
