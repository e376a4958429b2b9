"""The row of clocks, before the certified server."""

from .conftest import certified_place as place  # noqa: F401
from .test_clocks import (  # noqa: F401 - run again, with the certified server's `place`
    pytestmark,
    shared_store,
    test_b53_hosts_with_clocks_ten_minutes_off_tell_the_same_states_and_dates,
)
