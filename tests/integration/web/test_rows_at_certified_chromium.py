"""The rows of a real browser, at the certified server's own pages."""

from .conftest import certified_place as place  # noqa: F401
from .test_portal_chromium import (  # noqa: F401 - run again, with the certified server's `place`
    pytestmark,
    site,
    test_b16_person_whose_host_session_is_strict_connects,
    test_b22_person_who_leaves_half_way_finds_everything_as_it_was,
)
