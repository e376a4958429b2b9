"""The rows of the administrator's page, before the certified server."""

from .conftest import certified_place as place  # noqa: F401
from .test_administration import (  # noqa: F401 - run again, with the certified server's `place`
    test_b14_app_is_tried_on_the_page_and_a_wrong_redirect_uri_or_secret_is_reported,
    test_b38_page_shows_owners_and_states_and_no_secret,
    test_b44_two_secrets_stand_side_by_side_until_the_older_one_is_forgotten,
)
