"""The servers of the key management services, started once for the run of these tests, and machines that use them."""

import base64
import logging
import os

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.keys.kms import wrapped_ring
from lakekey.cache.opening import open_cache
from lakekey.errors import LakekeyError
from support.process_state import forget_unwrapped
from support.servers.aws_kms import AwsKmsServer
from support.servers.cloud_kms import AzureVault, GoogleKms
from support.servers.openbao import OpenBao

NAME = "a" * 64
_FOREIGN = ("AWS_", "VAULT_", "BAO_", "AZURE_", "IDENTITY_", "CLOUDSDK_", "GOOGLE_")


@pytest.fixture(autouse=True)
def no_cloud_here(monkeypatch):
    """Nothing of this machine's own clouds is seen."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.delenv("LAKEKEY_KEY_SOURCE")
    forget_unwrapped()


@pytest.fixture(scope="session")
def openbao_server():
    with OpenBao() as server:
        yield server


@pytest.fixture(scope="session")
def aws_server():
    with AwsKmsServer() as server:
        yield server


@pytest.fixture
def azure():
    with AzureVault() as vault:
        yield vault


@pytest.fixture
def google():
    with GoogleKms() as service:
        yield service


class Machine:
    """One host's cache, and the environment that leads to its key."""

    def __init__(self, directory, monkeypatch):
        self.directory = directory
        self._monkeypatch = monkeypatch
        self.use(LAKEKEY_CACHE_DIR=str(directory))

    def use(self, **environ):
        """Sets variables of this process, as the libraries of the services read them there, too."""
        for name, value in environ.items():
            self._monkeypatch.setenv(name, value)

    def new_process(self):
        """The cache as a new process finds it, which has unwrapped nothing."""
        forget_unwrapped()
        return open_cache()

    def seal(self):
        """Makes an entry, and with it the key of the cache where there is none."""
        cache = self.new_process()
        assert cache.put(NAME, Entry({}, refresh_token="kept"), replaces=cache.read(NAME).envelope)
        return cache

    def opens(self):
        """Whether a new process reads what was sealed."""
        return self.new_process().get(NAME).refresh_token == "kept"

    def refusal(self):
        """The error that a new process gets."""
        with pytest.raises(LakekeyError) as caught:
            self.new_process()
        assert caught.value.hint
        return caught.value


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path / "cache", monkeypatch)


def assert_silent(machine, caplog, *secrets):
    """No record of any library, at DEBUG, has the key, the ring or a credential."""
    caplog.set_level(logging.DEBUG)
    cache = machine.seal()
    assert machine.opens()
    said = "\n".join(f"{record.name} {record.getMessage()}" for record in caplog.records)
    assert "kept by source kms" in said
    for secret in (*wrapped_ring._unwrapped.values(), *cache.ring.keys.values()):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            assert encode(secret).decode().rstrip("=") not in said
    assert [secret for secret in secrets if secret in said] == []


def assert_told(machine, service, answer, words, step, secret):
    """A service's refusal is told to a new process, with what to do; one that has the key goes on."""
    running = machine.seal()
    service.refusal = answer
    refused = machine.refusal()
    assert words in refused.message
    assert step in refused.hint
    assert secret not in str(refused)
    assert running.put("b" * 64, running.get(NAME), replaces=None)
