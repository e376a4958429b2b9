"""The row of clocks, before the certified server, whose ID tokens expire by a clock of its own."""

import re

from .conftest import ADA
from .conftest import certified_place as place  # noqa: F401
from .test_clocks import (  # noqa: F401 - run again, with the certified server's `place`
    pytestmark,
    shared_store,
    test_b53_hosts_with_clocks_ten_minutes_off_tell_the_same_states_and_dates,
)


def test_service_whose_clock_is_hours_ahead_blames_the_clock_and_no_attacker(visit, oidc_server, caplog):
    oidc_server.set_clock(-3 * 3600)
    try:
        words = visit(ADA).connect().words
    finally:
        oidc_server.set_clock(0)
    assert re.search(r"The clock of this service is ahead .* it says \d{4}-\d\d-\d\d \d\d:\d\d UTC\.", words)
    assert "security" not in words
    assert "this machine's clock says" in caplog.text
