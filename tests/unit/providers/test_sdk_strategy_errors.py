"""What becomes of the errors of the SDK's strategies."""

import base64
import json
import pickle
from urllib.parse import quote, quote_plus

import pytest

from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError, LakekeyError, TokenEndpointError
from lakekey.providers.sdk_strategy import SdkStrategy

HOST = "https://acme.cloud.databricks.com"
PASSWORD = 'open "sesame"/1'


@pytest.fixture
def source():
    return SdkStrategy(resolve(environ={}, host=HOST, username="ada", password=PASSWORD))


def error_of(source, error):
    def work():
        raise error

    with pytest.raises(LakekeyError) as caught:
        source._call(work)
    return caught.value


@pytest.mark.parametrize(
    "encoded",
    [
        str,
        quote,
        quote_plus,
        json.dumps,
        lambda secret: base64.b64encode(f"ada:{secret}".encode()).decode(),
        lambda secret: quote(quote_plus(secret)),
    ],
    ids=["plain", "percent", "form", "JSON", "basic", "twice"],
)
def test_secret_is_not_shown_in_any_encoding(source, encoded):
    said = error_of(source, ValueError(f"no: {encoded(PASSWORD)} was sent")).message
    assert said.startswith("basic: no: ")
    assert said.endswith(" was sent")
    assert not [part for part in ("sesame", "c2VzYW", "Nlc2Ft", "zZXNhbW") if part in said]


def test_secret_that_an_unpickled_provider_has_found_again_is_not_shown(lakekey_environment, monkeypatch):
    pickled = pickle.dumps(resolve(environ={}, host=lakekey_environment.host, token=PASSWORD))
    monkeypatch.setenv("DATABRICKS_TOKEN", PASSWORD)
    unpickled = SdkStrategy(pickle.loads(pickled))
    assert PASSWORD in unpickled.headers()["Authorization"]
    assert error_of(unpickled, ValueError(f"no: {PASSWORD} was sent")).message == "pat: no: [token] was sent"
    assert "sesame" not in error_of(unpickled, ValueError(f"no: {quote(PASSWORD)} was sent")).message


def test_configuration_that_the_sdk_appends_is_left_out(source):
    for more in (". Config: host=x, password=***", ". Env: DATABRICKS_HOST"):
        assert error_of(source, ValueError(f"it failed{more}")).message == "basic: it failed"
    assert error_of(source, ValueError()).message == "basic: ValueError"
    assert len(error_of(source, ValueError("long " * 200)).message) == len("basic: ") + 400


def test_setting_is_named_in_place_of_its_value_unless_that_is_a_common_word():
    settings = {"azure_environment": "usgov", "azure_tenant_id": "tnt1", "azure_client_id": "id7"}
    source = SdkStrategy(resolve(environ={}, host=HOST, auth_type="azure-cli", **settings))
    said = error_of(source, ValueError("tnt1 of usgov has no id7")).message
    assert said == "azure-cli: [azure_tenant_id] of usgov has no id7"


@pytest.mark.parametrize(("error", "kind"), [(ValueError, ConfigurationError), (OSError, TokenEndpointError)])
def test_what_the_sdk_takes_for_a_wrong_value_is_an_error_of_the_configuration(source, error, kind):
    found = error_of(source, error("no"))
    assert type(found) is kind
    assert (found.profile, found.hint) == (HOST, f"run: {source.target.doctor_command}")
    assert (found.__cause__, found.__context__) == (None, None), "the SDK's own holds requests with secrets"


@pytest.mark.parametrize(("given", "named"), [("dev", "dev"), (None, HOST)])
def test_error_of_ours_gets_the_profile_that_it_lacks(source, given, named):
    ours = ConfigurationError("no", hint="x", profile=given)
    assert error_of(source, ours) is ours
    assert ours.profile == named
