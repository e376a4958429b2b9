"""One cache, two releases: the code of an earlier one, out of the repository's history, beside today's.

Not collected where the history is not there, as in a shallow clone (`conftest.py`); CI has it.
"""

import json
import os
import subprocess
import sys

import pytest

from support.earlier_releases import EARLIER, ROOT, unpack
from support.processes import lakekey as run

pytestmark = pytest.mark.timeout(300)
# Prints the token that a provider has; with `renews`, of one that a server is said to have refused.
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])  # not by a variable, which the browser would inherit
import lakekey
provider = lakekey.provider(**json.loads(sys.argv[3]))
token = provider.token().access_token
if sys.argv[2] == "renews":
    provider.invalidate(token)
    token = provider.token().access_token
print(json.dumps([lakekey.__file__, token]))
"""


@pytest.fixture(scope="module", params=EARLIER, ids=["before the rooms", "0.1.0"])
def earlier(request, tmp_path_factory):
    """The folder of an earlier release's source."""
    place = tmp_path_factory.mktemp("earlier")
    unpack(request.param, place, "src")
    return place / "src"


@pytest.fixture
def releases(earlier):
    return {"earlier": str(earlier), "today's": os.path.join(ROOT, "src")}


def asked(source, does="asks", **settings):
    """The token of a process that runs a release."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, source, does, json.dumps(settings)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    place, token = json.loads(done.stdout)
    assert place.startswith(source), "another release ran"
    return token


@pytest.mark.parametrize("order", [("earlier", "today's"), ("today's", "earlier")], ids=" then ".join)
def test_one_sign_in_and_one_renewal_serve_both(lakekey_environment, releases, order):
    box, (first, second) = lakekey_environment, (releases[name] for name in order)
    token = asked(first)
    assert asked(second) == token
    renewed = asked(second, "renews")
    assert renewed != token
    assert asked(first) == renewed
    assert (box.counters["logins"], box.counters["token.refresh_token"]) == (1, 1)


@pytest.mark.parametrize("order", [("earlier", "today's"), ("today's", "earlier")], ids=" then ".join)
def test_one_token_of_a_service_principal_serves_both(lakekey_environment, releases, order):
    box, (first, second) = lakekey_environment, (releases[name] for name in order)
    job = {"client_id": box.client_id, "client_secret": box.client_secret}
    assert asked(first, **job) == asked(second, **job)
    assert box.counters["token.client_credentials"] == 1


def test_changed_key_opens_for_the_earlier_release(lakekey_environment, releases):
    token = asked(releases["earlier"])
    assert run("keys", "rotate").returncode == 0
    assert asked(releases["earlier"]) == asked(releases["today's"]) == token
