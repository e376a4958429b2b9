"""Which service ``LAKEKEY_KMS`` means, and that one of a package is used as it is."""

from importlib.metadata import EntryPoint

import pytest

from lakekey.cache.keys.kms import services
from lakekey.cache.keys.kms.services import GROUP, choose, open_service
from lakekey.errors import ConfigurationError, KeyUnavailable


class Plain:
    """A package's service, which wraps by turning round."""

    where = "alias/lake"

    def __init__(self, environ):
        self.environ = environ

    def wrap(self, plaintext):
        return plaintext[::-1]

    def unwrap(self, wrapped):
        return wrapped[::-1] + b"!"


@pytest.fixture
def installed(monkeypatch):
    """Install services of packages, by name: all are `Plain`."""

    def install(*names):
        points = [EntryPoint(name, f"{__name__}:{'Plain' if name != 'broken' else 'Missing'}", GROUP) for name in names]
        monkeypatch.setattr(services, "_points", lambda: points)

    return install


def test_service_that_is_named_is_used_whatever_is_installed(installed):
    installed("one", "two")
    assert choose({"LAKEKEY_KMS": " aws:alias/k "}) == "aws:alias/k"


def test_only_service_that_is_installed_is_used_unnamed(installed):
    installed("one")
    assert choose({}) == "one"


def test_one_of_several_services_has_to_be_named(installed):
    installed("two", "one")
    with pytest.raises(ConfigurationError, match="are installed: one, two") as caught:
        choose({})
    assert caught.value.hint == "name one in LAKEKEY_KMS"


def test_without_a_service_the_forms_of_ours_are_told(installed):
    installed()
    with pytest.raises(ConfigurationError, match="names no key management service") as caught:
        choose({"LAKEKEY_KMS": " "})
    assert "aws:KEY, vault:MOUNT/KEY, azure:KEY-URL, gcp:KEY-NAME" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("aws:alias/k", "AWS KMS key alias/k"),
        ("vault:mount/k", "transit key mount/k of https://127.0.0.1:8200"),
        ("azure:https://a.vault.azure.net/keys/k", "Azure Key Vault key https://a.vault.azure.net/keys/k"),
        ("gcp:projects/p/locations/l/keyRings/r/cryptoKeys/k", "Google Cloud KMS key projects/p/locations/l/keyRings/r/cryptoKeys/k"),
    ],
)  # fmt: skip
def test_service_of_ours_is_opened_by_its_form(name, where):
    assert open_service(name, {}).where == where


@pytest.mark.parametrize("name", ["aws", "two", "other:key"])
def test_any_other_name_is_a_packages_service(installed, name):
    installed("one", name)
    environ = {"HOME": "x"}
    service = open_service(name, environ)
    assert service.where == f"{name}: alias/lake"
    assert service.hints == {}
    assert service.wrap(b"abc", "context") == b"cba"
    assert service.unwrap(b"cba", "context") == b"abc!"
    assert service._wrapper.environ is environ


def test_service_that_is_not_installed_or_does_not_load_is_told(installed):
    installed("one", "broken")
    with pytest.raises(KeyUnavailable, match="'two' is not installed here") as caught:
        open_service("two", {})
    assert GROUP in caught.value.hint
    with pytest.raises(KeyUnavailable, match=r"'broken' cannot be loaded \(AttributeError\)"):
        open_service("broken", {})
