"""Two releases on one store: 0.1.0, out of the repository's history, beside today's.

Not collected where the history is not there, as in a shallow clone (`conftest.py`); CI has it.
"""

import subprocess
import sys

import pytest

from support import earlier_releases

pytestmark = pytest.mark.timeout(180)
FIRST = pytest.mark.parametrize("first", ["0.1.0", "today's"])


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """What the environment of a process of 0.1.0 says, and nothing else is different."""
    place = tmp_path_factory.mktemp("earlier")
    earlier_releases.unpack(earlier_releases.EARLIER[1], place, "src", "tests/support")
    environ = {"PYTHONPATH": f"{place}/src:{place}/tests"}
    where = [sys.executable, "-c", "import lakekey; print(lakekey.__file__)"]
    said = subprocess.run(where, env=environ, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith(str(place))
    return environ


def assert_presented_once(server):
    counters = server.counters()
    assert counters["requests.token.refresh_token"] == 1
    assert counters["grant.error.invalid_grant"] == 0


@FIRST
def test_a43_holder_of_one_release_is_waited_for_by_the_other(fleet, signed_in, oidc_server, earlier, first):
    one, two = (earlier, {}) if first == "0.1.0" else ({}, earlier)
    with signed_in.hurried("pauses_at", "intent written", "main", OUTCOME_AFTER="50", **one) as holder:
        holder.until("at")
        with fleet.host("b").hurried("asks_once", OUTCOME_AFTER="50", **two) as other:
            with pytest.raises(TimeoutError):  # longer than a lease lasts that is not renewed
                other.next(timeout=2.0)
            holder.go_on()
            assert holder.result()["ok"]
            assert other.result()["ok"]
    signed_in.assert_session_is_whole()
    assert_presented_once(oidc_server)


@FIRST
@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_a43_intent_of_one_release_whose_holder_died_is_settled_by_the_other(signed_in, oidc_server, earlier, first):
    one, two = (earlier, {}) if first == "0.1.0" else ({}, earlier)
    with signed_in.hurried("pauses_at", "intent written", "main", **one) as holder:
        holder.until("at")
        holder.kill()
    with signed_in.hurried("asks_once", **two) as other:
        assert other.result()["ok"]
    signed_in.assert_session_is_whole()
    assert_presented_once(oidc_server)
