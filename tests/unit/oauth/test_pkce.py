"""PKCE as RFC 7636 has it."""

import base64
import hashlib
import re

from lakekey.oauth.pkce import new_pkce, new_state


def test_a_verifier_is_new_each_time_and_its_challenge_is_s256():
    pairs = [new_pkce() for _ in range(50)]
    assert len({pair.verifier for pair in pairs}) == 50
    for pair in pairs:
        assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", pair.verifier)
        digest = hashlib.sha256(pair.verifier.encode()).digest()
        assert pair.challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_a_state_is_new_each_time():
    assert len({new_state() for _ in range(50)}) == 50
