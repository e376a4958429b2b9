"""Azure Key Vault and Google Cloud KMS over TLS, sign-in included: by the authority that is trusted, and by no other."""

import pytest

from support.servers.cloud_kms import AzureVault, GoogleKms
from support.tls import write_certificates

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["azure", "google"])
def cloud(request, machine, tmp_path):
    """A service behind a certificate, which the machine is led to; the authority's file is ``ca``."""
    (tmp_path / "tls").mkdir()
    certificates = write_certificates(tmp_path / "tls")
    with (AzureVault if request.param == "azure" else GoogleKms)(certificates) as service:
        assert service.url.startswith("https://")
        machine.use(**(service.environ if request.param == "azure" else service.environ(tmp_path)))
        service.ca = str(certificates.ca)
        yield service


@pytest.fixture
def another_authority(tmp_path):
    (tmp_path / "another").mkdir()
    return str(write_certificates(tmp_path / "another").ca)


def test_ring_is_wrapped_and_opened_again_by_the_trusted_authority(cloud, machine):
    machine.use(REQUESTS_CA_BUNDLE=cloud.ca)
    machine.seal()
    assert machine.opens()
    assert len(cloud.asked) >= 4  # twice a token, a wrap and an unwrap


def test_service_with_the_certificate_of_another_authority_is_sent_nothing(cloud, machine, another_authority):
    machine.use(REQUESTS_CA_BUNDLE=cloud.ca)
    machine.seal()
    asked = len(cloud.asked)
    machine.use(REQUESTS_CA_BUNDLE=another_authority)
    refused = machine.refusal()
    assert refused.code == "key_unavailable"
    assert len(cloud.asked) == asked
