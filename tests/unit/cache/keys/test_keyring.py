import pytest

from lakekey.cache.keys.keyring import KeyringTrouble, within


class Refusal(Exception):
    """As pywin32's ``error``, which is not an ``OSError``."""

    def __init__(self, winerror):
        super().__init__(winerror, "CredRead", "the words of Windows")
        self.winerror = winerror


def asked(error, cause=None):
    def call():
        raise error from cause

    with pytest.raises(KeyringTrouble) as caught:
        within(10, call)
    return caught.value.kind, str(caught.value)


def test_account_without_a_logon_session_has_no_keyring():
    absent = ("absent", "the OS keyring is not there in this session")
    assert asked(Refusal(1312)) == absent
    assert asked(RuntimeError("asked"), Refusal(1312)) == absent


def test_any_other_refusal_is_a_failure_whose_text_is_not_passed_on():
    assert asked(Refusal(5)) == ("broken", "the OS keyring failed (Refusal)")
