"""What the programs begin with that the tests of signing in start."""

import pytest

from support.program import environment


@pytest.fixture
def settings(oidc_server, tmp_path):
    """The environment of a program for the independent server, with a cache of the test's own."""
    return environment(oidc_server, tmp_path / "cache")
