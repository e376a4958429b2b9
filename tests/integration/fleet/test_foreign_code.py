"""Foreign code asks in the midst of a renewal on a store that hosts share: nothing waits for itself there either."""

import pytest

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("way", ["profiler", "log handler"])
def test_renewal_on_a_shared_store_ends_though_foreign_code_asks_in_its_midst(signed_in, way):
    with signed_in.child("asks_inside", way) as child:
        end = child.result()
    assert end["ok"], end
    assert sum(end["got"].values()) >= 1, end
    assert set(end["got"]) <= {"header", "LockTimeout"}, end
    signed_in.assert_session_is_whole()
    assert signed_in.token_requests() == 1


def test_signal_at_lines_of_a_renewal_on_a_shared_store_neither_hangs_nor_loses(signed_in):
    with signed_in.child("struck_at", "asks", "2", "17") as child:
        end = child.result()
    assert end["struck"] > 5, end
    assert end["failed"] == 0, end
    signed_in.assert_session_is_whole()
