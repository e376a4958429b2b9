"""The rows of tabs that a server's pages cut off, at the certified server's own pages."""

from .conftest import certified_place as place  # noqa: F401
from .test_portal_tabs import (  # noqa: F401 - run again, with the certified server's `place`
    pytestmark,
    site,
    test_b21_provider_that_cuts_itself_off_returns_to_the_same_page,
)
