"""Workloads without a secret: an identity provider's token is exchanged for the workspace's (RFC 8693)."""

import os
import re
import subprocess
import sys
import traceback

import pytest
import requests

import lakekey
from lakekey import ConfigurationError, CredentialsRefused, TokenEndpointError
from lakekey.oauth.jwt import claims
from support.servers.identity_provider import IdentityProvider

pytestmark = pytest.mark.on_windows


@pytest.fixture
def idp():
    with IdentityProvider() as provider:
        yield provider


@pytest.fixture
def box(lakekey_environment, unattended):
    return lakekey_environment


@pytest.fixture
def token_endpoint(box):
    return f"{box.host}/oidc/v1/token"


@pytest.fixture
def workload(box, idp):
    """The sandbox trusts the identity provider for its service principal."""
    box.trust_issuer(idp.issuer, jwks=idp.jwks, client_id=box.client_id)
    return box.client_id


def whoami(box, provider):
    me = requests.get(
        f"{box.host}/api/2.0/preview/scim/v2/Me", headers=provider.headers(), verify=box.ca_file, timeout=10
    )
    assert me.status_code == 200, me.text
    return me.json()["userName"]


def in_a_new_process(code="", **environment):
    """Starts a process that signs in and says the end of its token."""
    program = f"import lakekey\n{code}\nprint(lakekey.provider().headers()['Authorization'][-20:])"
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def test_a_token_from_a_file_signs_the_service_principal_in(box, idp, workload, token_endpoint, tmp_path):
    file = tmp_path / "token"
    file.write_text(idp.token("system:job", token_endpoint) + "\n")
    p = lakekey.provider(host=box.host, client_id=workload, oidc_token_filepath=file)
    assert p.auth_type() == "file-oidc"
    assert whoami(box, p) == workload
    assert box.counters["token.token_exchange"] == 1


def test_a_token_from_a_variable_signs_a_member_in_without_a_client(box, idp, token_endpoint, monkeypatch):
    box.trust_issuer(idp.issuer, jwks=idp.jwks)
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", idp.token("grace@example.com", box.account_id))
    p = lakekey.provider()
    assert (p.auth_type(), p.target.client_id) == ("env-oidc", "")
    assert whoami(box, p) == "grace@example.com"


def test_a_variable_of_another_name_can_carry_the_token(box, idp, token_endpoint, monkeypatch):
    box.trust_issuer(idp.issuer, jwks=idp.jwks)
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN_ENV", "CI_JOB_JWT")
    monkeypatch.setenv("CI_JOB_JWT", idp.token("ada@example.com", box.account_id))
    assert whoami(box, lakekey.provider()) == "ada@example.com"


def test_github_actions_is_asked_for_a_token_with_the_hosts_audience(box, idp, workload, token_endpoint, monkeypatch):
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{idp.url}/token?api-version=2.0")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token")
    p = lakekey.provider(client_id=workload)
    assert p.auth_type() == "github-oidc"
    assert not idp.seen  # nothing is asked before the first header
    assert whoami(box, p) == workload
    (asked,) = idp.seen
    assert asked["authorization"] == "Bearer request-token"
    assert asked["query"] == {"api-version": "2.0", "audience": token_endpoint}


def test_a_configured_audience_is_asked_for(box, idp, monkeypatch):
    box.trust_issuer(idp.issuer, jwks=idp.jwks, client_id=box.client_id, audiences=["lakehouse"])
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{idp.url}/token")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token")
    p = lakekey.provider(client_id=box.client_id, token_audience="lakehouse")
    assert whoami(box, p) == box.client_id
    assert idp.seen[0]["query"]["audience"] == "lakehouse"


def test_azure_devops_is_asked_for_a_token(box, idp, monkeypatch):
    idp.audience = "api://AzureADTokenExchange"
    box.trust_issuer(idp.issuer, jwks=idp.jwks, client_id=box.client_id, audiences=[idp.audience])
    pipeline = {
        "ACCESSTOKEN": "job-token",
        "TEAMFOUNDATIONCOLLECTIONURI": f"{idp.url}/org/",
        "TEAMPROJECTID": "project",
        "PLANID": "plan",
        "JOBID": "job",
        "HOSTTYPE": "build",
    }
    for name, value in pipeline.items():
        monkeypatch.setenv(f"SYSTEM_{name}", value)
    p = lakekey.provider(client_id=box.client_id)
    assert p.auth_type() == "azure-devops-oidc"
    assert whoami(box, p) == box.client_id
    (asked,) = idp.seen
    assert (asked["method"], asked["authorization"]) == ("POST", "Bearer job-token")
    assert asked["path"] == "/org/project/_apis/distributedtask/hubs/build/plans/plan/jobs/job/oidctoken"


def test_a_pods_service_account_signs_in_where_it_is_named(
    box, idp, workload, token_endpoint, monkeypatch, tmp_path, attended
):
    mounted = tmp_path / "var/run/secrets/kubernetes.io/serviceaccount"
    mounted.mkdir(parents=True)
    (mounted / "token").write_text(idp.token("system:serviceaccount:etl:nightly", token_endpoint))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("CONTAINER_SANDBOX_MOUNT_POINT", str(tmp_path))
    assert lakekey.provider(client_id=workload).auth_type() == "external-browser"  # every pod has such a token
    p = lakekey.provider(client_id=workload, auth_type="file-oidc")
    assert whoami(box, p) == workload
    (mounted / "token").unlink()
    with pytest.raises(ConfigurationError, match="this pod has no service account token"):
        lakekey.provider(client_id=workload, auth_type="file-oidc")


def test_a_secret_that_lies_about_plays_no_part(box, idp, workload, token_endpoint, monkeypatch):
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", idp.token("system:job", token_endpoint))
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", workload)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "of-another-app")
    assert whoami(box, lakekey.provider(auth_type="env-oidc")) == workload


def test_the_accounts_token_endpoint_exchanges_too(box, idp, monkeypatch):
    issuer = f"{box.host}/oidc/accounts/{box.account_id}"
    box.trust_issuer(idp.issuer, jwks=idp.jwks)
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", idp.token("ada@example.com", box.account_id))
    monkeypatch.setenv("DATABRICKS_DISCOVERY_URL", f"{issuer}/.well-known/oauth-authorization-server")
    headers = lakekey.provider(account_id=box.account_id).headers()
    assert headers["Authorization"].startswith("Bearer ")
    asked = [record.path for record in box.log if record.route == "token"]
    assert asked == [f"/oidc/accounts/{box.account_id}/v1/token"]


def test_a_role_is_assumed_with_the_exchange(box, idp, monkeypatch):
    box.trust_issuer(idp.issuer, jwks=idp.jwks)
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", idp.token("ada@example.com", box.account_id))
    p = lakekey.provider(group_id="auditors")
    me = requests.get(
        f"{box.host}/api/2.0/preview/scim/v2/Me", headers=p.headers(), verify=box.ca_file, timeout=10
    ).json()
    assert "auditors" in [group["value"] for group in me["groups"]]


def test_many_processes_share_one_exchange(box, idp, workload, token_endpoint, tmp_path):
    file = tmp_path / "token"
    file.write_text(idp.token("system:job", token_endpoint))
    environment = {"DATABRICKS_CLIENT_ID": workload, "DATABRICKS_OIDC_TOKEN_FILEPATH": str(file)}
    running = [in_a_new_process(**environment) for _ in range(6)]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert len(said) == 1
    assert box.counters["token.requests"] == 1


def test_identity_token_is_read_again_for_each_exchange(box, idp, workload, token_endpoint, tmp_path):
    file = tmp_path / "token"
    file.write_text(idp.token("system:job", token_endpoint, lifetime=60))
    p = lakekey.provider(client_id=workload, oidc_token_filepath=file)
    first = p.token().access_token
    file.write_text(idp.token("system:job", token_endpoint))
    p.invalidate(first)
    assert p.token().access_token != first
    assert box.counters["token.token_exchange"] == 2


def test_two_workloads_never_share_a_token(box, idp, tmp_path, monkeypatch):
    box.trust_issuer(idp.issuer, jwks=idp.jwks)
    for person in ("ada@example.com", "grace@example.com"):
        monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", idp.token(person, box.account_id))
        assert whoami(box, lakekey.provider()) == person


# What goes wrong


def refusal(kind, provider, *hidden):
    with pytest.raises(kind) as caught:
        provider.headers()
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    assert not any(secret in said for secret in hidden)
    return caught.value


def test_token_for_another_audience_is_refused_with_what_it_says(box, idp, workload, monkeypatch):
    token = idp.token("system:job", "another-audience")
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", token)
    error = refusal(CredentialsRefused, lakekey.provider(client_id=workload), token)
    assert idp.issuer in error.message
    assert "'another-audience'" in error.message
    assert "federation policy" in error.hint
    assert box.counters["token.requests"] == 1


def test_an_identity_token_that_has_expired_is_refused(box, idp, workload, token_endpoint, monkeypatch):
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", idp.token("system:job", token_endpoint, lifetime=-600))
    error = refusal(CredentialsRefused, lakekey.provider(client_id=workload))
    assert "expired" in error.hint


@pytest.mark.parametrize(("status", "kind"), [(403, CredentialsRefused), (500, TokenEndpointError)])
def test_token_service_that_refuses_is_distinguished_from_one_that_fails(box, idp, workload, monkeypatch, status, kind):
    idp.status = status
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{idp.url}/token")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token-secret")
    error = refusal(kind, lakekey.provider(client_id=workload), "request-token-secret")
    assert f"GitHub Actions answered HTTP {status}" in error.message
    assert len(idp.seen) == (1 if kind is CredentialsRefused else 4)
    assert box.counters["token.requests"] == 0


@pytest.mark.parametrize("content", ["", "  \n", "no jwt at all", "a.b.c"])
def test_a_file_that_is_here_but_broken_is_an_error_and_not_another_identity(box, tmp_path, content):
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=rf"the file {re.escape(str(file))} (is empty|holds no JWT)"):
        lakekey.provider(oidc_token_filepath=str(file))


def test_a_missing_token_file_is_an_error(box, tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        lakekey.provider(oidc_token_filepath=str(tmp_path / "none"))


def test_a_named_variable_that_is_not_set_is_an_error(box, monkeypatch):
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN_ENV", "CI_JOB_JWT")
    with pytest.raises(ConfigurationError, match="CI_JOB_JWT is not set, though oidc_token_env names it"):
        lakekey.provider()


# Against a server that this project did not write


@pytest.mark.parametrize("with_client", [False, True], ids=["account-wide", "workload"])
def test_the_certified_server_exchanges_a_token(oidc_server, monkeypatch, with_client):
    for name, value in oidc_server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", oidc_server.subject_token("grace@example.com"))
    settings = {"client_id": oidc_server.workload_client_id} if with_client else {}
    token = lakekey.provider(**settings).token()
    assert claims(token.access_token)["sub"] == "grace@example.com"
