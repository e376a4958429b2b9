"""What is alive before the first test is looked at as well, and the rest of it no more."""

import gc

from lakekey.errors import LoginRequired
from support import secret_scan


class Other:
    """Neither ours nor an error."""


def test_objects_of_ours_from_before_the_tests_are_looked_at_and_no_others(monkeypatch):
    ours, others = LoginRequired("sign in"), Other()
    monkeypatch.setattr(secret_scan, "_from_before", [])
    monkeypatch.setattr(secret_scan, "_others", set())
    secret_scan.pass_over_what_is_alive()
    assert not any(each is others for each in gc.get_objects())
    assert not any(each is ours for each in gc.get_objects())
    later = LoginRequired("again")
    found = [thing for thing, _ in secret_scan._alive()]
    assert any(each is ours for each in found)
    assert any(each is later for each in found)
    assert not any(each is others for each in found)
