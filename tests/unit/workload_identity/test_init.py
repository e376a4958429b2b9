import pytest

from lakekey.errors import ConfigurationError
from lakekey.workload_identity import detect, source_of

from .test_local import token

GITHUB = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x.example", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
VARIABLE = {"DATABRICKS_OIDC_TOKEN": token()}


def found(environ, *, variable=None, path=None, has_client=True):
    return detect(environ, variable=variable, path=path, has_client=has_client)


def test_nothing_is_here_where_nothing_is_set():
    assert found({}) is None


def test_variable_comes_before_a_file_and_a_file_before_a_ci_system(tmp_path):
    file = tmp_path / "token"
    file.write_text(token())
    assert found({**VARIABLE, **GITHUB}, path=str(file)) == "env-oidc"
    assert found(GITHUB, path=str(file)) == "file-oidc"
    assert found(GITHUB) == "github-oidc"


def test_ci_system_is_not_asked_without_a_client():
    assert found(GITHUB, has_client=False) is None


def test_broken_source_is_an_error_and_not_the_next_one():
    with pytest.raises(ConfigurationError, match="cannot be read"):
        found(GITHUB, path="/there/is/none")


@pytest.mark.parametrize(
    ("auth_type", "says", "hint"),
    [
        ("env-oidc", "the variable DATABRICKS_OIDC_TOKEN is not set", "identity provider's token"),
        ("file-oidc", "oidc_token_filepath is missing", "set oidc_token_filepath"),
        ("github-oidc", "not a GitHub Actions job", "id-token: write"),
        ("azure-devops-oidc", "not a step of Azure Pipelines", "SYSTEM_ACCESSTOKEN"),
    ],
)
def test_source_that_is_named_and_not_here_is_an_error_with_its_own_next_step(auth_type, says, hint):
    with pytest.raises(ConfigurationError, match=says) as caught:
        source_of(auth_type, variable=None, path=None, profile="prod", environ={})
    assert hint in caught.value.hint
    assert caught.value.profile == "prod"
    assert f"which {auth_type} needs" in caught.value.message
