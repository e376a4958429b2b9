import base64
import json

import pytest

from lakekey.errors import ConfigurationError
from lakekey.workload_identity.local import File, Variable, service_account


def token(sub="repo:acme/app"):
    parts = [{"alg": "none"}, {"iss": "https://idp.example", "sub": sub}]
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts), "s"]
    )


def test_variable_is_found_under_its_usual_name_or_the_configured_one():
    assert Variable.detect({}, None) is None
    found = Variable.detect({"DATABRICKS_OIDC_TOKEN": f" {token()}\n"}, None)
    assert found.subject() == "repo:acme/app at https://idp.example"
    assert Variable.detect({"CI_JOB_JWT": token("other")}, "CI_JOB_JWT").subject().startswith("other at ")


def test_variable_that_is_configured_and_not_set_is_an_error():
    with pytest.raises(ConfigurationError, match="CI_JOB_JWT is not set, though oidc_token_env names it"):
        Variable.detect({"CI_JOB_JWT": "  "}, "CI_JOB_JWT")


def test_variable_without_a_jwt_is_an_error_that_does_not_quote_it():
    with pytest.raises(ConfigurationError, match="the variable DATABRICKS_OIDC_TOKEN holds no JWT") as caught:
        Variable.detect({"DATABRICKS_OIDC_TOKEN": "password-of-another"}, None)
    assert "password-of-another" not in str(caught.value)


def test_token_of_a_variable_is_read_again_for_each_exchange():
    environ = {"DATABRICKS_OIDC_TOKEN": token("first")}
    source = Variable.detect(environ, None)
    environ["DATABRICKS_OIDC_TOKEN"] = token("second")
    assert source.fetch(None, "", deadline=0.0) == token("second")


def test_token_of_a_file_is_read_again_for_each_exchange(tmp_path):
    path = tmp_path / "token"
    path.write_text(token("first"))
    source = File(str(path))
    assert source.subject().startswith("first at ")
    path.write_text(token("second") + "\n")
    assert source.fetch(None, "", deadline=0.0) == token("second")


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b" \n", "is empty"), (b"a.b.c", "holds no JWT"), (b"\xff\xfe", "it is not text")],
)
def test_file_that_holds_no_token_is_an_error(tmp_path, content, says):
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=says):
        File(str(path)).subject()


def test_file_that_is_missing_is_an_error_with_a_next_step(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file") as caught:
        File(str(tmp_path / "none")).subject()
    assert caught.value.hint == f"ls -ld {tmp_path / 'none'}"


def test_service_account_is_asked_for_in_a_pod_only(tmp_path):
    assert service_account({}) is None
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "CONTAINER_SANDBOX_MOUNT_POINT": f"{tmp_path}/"}
    with pytest.raises(ConfigurationError, match="this pod has no service account token") as caught:
        service_account(pod)
    assert "oidc_token_filepath" in caught.value.hint
    place = tmp_path / "var/run/secrets/kubernetes.io/serviceaccount/token"
    place.parent.mkdir(parents=True)
    place.write_text(token("system:serviceaccount:etl:nightly"))
    assert service_account(pod).subject() == "system:serviceaccount:etl:nightly at https://idp.example"
