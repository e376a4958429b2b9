"""What is said of an ID token that is refused."""

import base64
import json
import time
from types import SimpleNamespace

import pytest

from lakekey.web import outcomes
from lakekey.web.verification import Verification

FLOW = SimpleNamespace(nonce="the nonce of this sign-in")
ISSUER = "https://workspace.example.com/oidc"
CLIENT = SimpleNamespace(client_id="the-app", discover=lambda: SimpleNamespace(issuer=ISSUER))


def refused(**changed):
    claims = {"iss": ISSUER, "aud": "the-app", "nonce": FLOW.nonce, "exp": time.time() - 3600, **changed}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)]
    response = SimpleNamespace(id_token=".".join((*parts, "")))
    return Verification(None, CLIENT, FLOW, None).refused(response).code


def test_token_of_this_sign_in_that_has_expired_is_a_matter_of_the_clock():
    assert refused() == outcomes.CLOCK_AHEAD


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "of another"},
        {"nonce": None},
        {"aud": "another-app"},
        {"iss": "https://elsewhere.example.com"},
        {"azp": "another-app"},
        {"exp": "1"},
        {"exp": True},
        {"exp": None},
    ],
)
def test_any_other_token_is_one_of_another_sign_in(changed):
    assert refused(**changed) == outcomes.WRONG_TOKEN
