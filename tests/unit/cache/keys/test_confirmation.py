"""Which key management services are this user's."""

import pytest

from lakekey.cache.keys import anchor
from lakekey.cache.keys.choice import KeyChoice
from lakekey.cache.keys.confirmation import is_our_service

KMS = KeyChoice("kms", "it was moved there", kms="aws:mine")


def test_service_without_a_name_is_never_ours(environ):
    assert not is_our_service("", "a cache", environ)
    anchor.remember(environ, "a cache", KMS._replace(kms=""))
    assert not is_our_service("", "a cache", environ)


@pytest.mark.parametrize("look", ["recall", "expected"])
def test_service_of_a_move_that_ends_between_two_looks_is_ours(environ, monkeypatch, look):
    anchor.remember(environ, "a cache", KeyChoice("passphrase", "as ever"))
    anchor.expect(environ, "a cache", KMS)
    before = getattr(anchor, look)

    def overtaken(*arguments):
        found = before(*arguments)
        anchor.remember(environ, "a cache", KMS)
        return found

    monkeypatch.setattr(anchor, look, overtaken)
    assert is_our_service(KMS.kms, "a cache", environ)
