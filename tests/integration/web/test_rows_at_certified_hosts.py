"""Applications of the guide that need no warehouse, before the certified server."""

from .conftest import certified_place as place  # noqa: F401
from .test_guide import (  # noqa: F401 - run again, with the certified server's `place`
    test_django_is_served_beside_the_portal,
    test_flask_with_a_strict_session_is_bridged,
)
