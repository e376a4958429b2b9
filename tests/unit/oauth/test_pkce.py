"""PKCE: S256 only."""

import re
import secrets

import pytest

from lakekey.oauth.pkce import new_pkce, new_state


def test_the_challenge_is_that_of_rfc_7636_appendix_b(monkeypatch):
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert new_pkce().challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("make", [lambda: new_pkce().verifier, new_state])
def test_a_verifier_has_the_length_and_alphabet_of_rfc_7636(make):
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", make())


def test_no_two_pairs_or_states_are_alike():
    assert len({new_pkce().verifier for _ in range(50)} | {new_state() for _ in range(50)}) == 100


def test_the_repr_hides_the_verifier():
    pkce = new_pkce()
    assert pkce.verifier not in repr(pkce)
    assert pkce.verifier not in f"{pkce}"
