"""The rows of several processes, before the certified server."""

from .conftest import certified_place as place  # noqa: F401
from .test_portal_processes import (  # noqa: F401 - run again, with the certified server's `place`
    test_b05_and_b28_answer_that_comes_to_two_other_workers_at_once_is_exchanged_once,
    test_b26_worker_killed_between_exchange_and_write_leaves_no_half_connection,
    test_b29_many_people_at_once_over_two_workers_are_all_connected_as_themselves,
    test_b50_no_secret_of_a_whole_run_is_in_any_log,
)
