"""What is said of an ID token that is refused."""

import base64
import json
import time
from types import SimpleNamespace

import pytest

from lakekey.web import outcomes
from lakekey.web.verification import Verification

FLOW = SimpleNamespace(nonce="the nonce of this sign-in")


def refused(**claims):
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)]
    response = SimpleNamespace(id_token=".".join((*parts, "")))
    return Verification(None, None, FLOW, None).refused(response).code


def test_token_of_this_sign_in_that_has_expired_is_a_matter_of_the_clock():
    assert refused(nonce=FLOW.nonce, exp=time.time() - 3600) == outcomes.CLOCK_AHEAD


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another", "exp": 1},
        {"exp": 1},
        {"nonce": FLOW.nonce, "exp": 10.0**12},
        {"nonce": FLOW.nonce, "exp": "1"},
        {"nonce": FLOW.nonce},
    ],
)
def test_any_other_token_is_one_of_another_sign_in(claims):
    assert refused(**claims) == outcomes.WRONG_TOKEN
