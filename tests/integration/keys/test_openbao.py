"""A ring wrapped by the transit engine of OpenBao, the real server, which speaks Vault's protocol."""

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.error
from pathlib import Path
from threading import Thread

import pytest

from lakekey.cache.keys.kms.service import Kind, KmsTrouble
from lakekey.cache.keys.kms.vault import VaultTransit
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.errors import ConfigurationError, KeyUnavailable, LakekeyError
from support.servers.local_server import LocalServer
from support.tls import write_certificates

from .conftest import assert_silent


@pytest.fixture
def bao(openbao_server, machine):
    machine.use(LAKEKEY_KMS="vault:transit/lakekey", VAULT_ADDR=openbao_server.url, VAULT_TOKEN=openbao_server.token())
    return openbao_server


def test_a_ring_is_wrapped_once_and_opened_by_every_new_process(bao, machine):
    cache = machine.seal()
    assert cache.ring.source == "kms"
    assert cache.ring.where == f"transit key transit/lakekey of {bao.url}"
    assert machine.opens()
    assert "vault:v" in bytes_of_the_wrapped_key(machine).decode()


def bytes_of_the_wrapped_key(machine):
    return base64.b64decode(json.loads((machine.directory / "kms.ring").read_text())["wrapped"])


def test_openbao_names_its_own_variables(bao, machine, monkeypatch):
    machine.seal()
    for name in ("ADDR", "TOKEN"):
        machine.use(**{f"BAO_{name}": {"ADDR": bao.url, "TOKEN": bao.token()}[name]})
        monkeypatch.setenv(f"VAULT_{name}", "http://127.0.0.1:9")
    assert machine.opens()


def test_an_app_role_signs_in_and_leaves_no_token_behind(bao, machine, monkeypatch):
    monkeypatch.delenv("VAULT_TOKEN")
    bao.token()  # which makes the policy
    ensure(bao, "auth/approle", type="approle")
    bao.call("POST", "auth/approle/role/fleet", token_policies=["lakekey"])
    role = bao.call("GET", "auth/approle/role/fleet/role-id")["data"]["role_id"]
    secret = bao.call("POST", "auth/approle/role/fleet/secret-id")["data"]["secret_id"]
    machine.use(VAULT_ROLE_ID=role, VAULT_SECRET_ID=secret)
    before = bao.accessors()
    machine.seal()
    assert machine.opens()
    assert bao.accessors() == before
    machine.use(VAULT_SECRET_ID="wrong-secret-id-of-the-test")
    error = machine.refusal()
    assert "no usable credentials" in error.message
    assert "wrong-secret-id" not in str(error)


def test_a_pod_signs_in_by_its_service_account(bao, machine, monkeypatch, tmp_path):
    """OpenBao asks the cluster about the pod's token; a small server stands in for the cluster."""
    monkeypatch.delenv("VAULT_TOKEN")
    claims = {
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:fleet:lakekey",
        "kubernetes.io/serviceaccount/namespace": "fleet",
        "kubernetes.io/serviceaccount/secret.name": "s",
        "kubernetes.io/serviceaccount/service-account.name": "lakekey",
        "kubernetes.io/serviceaccount/service-account.uid": "u1",
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
    pod = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"signature of the pod"))
    (tmp_path / "token").write_text(pod)
    with LocalServer() as cluster:
        Thread(target=cluster.serve_forever, daemon=True).start()
        user = {"username": claims["sub"], "uid": "u1", "groups": ["system:serviceaccounts"]}
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
        cluster.answer(
            "/apis/authentication.k8s.io/v1/tokenreviews",
            json.dumps({**review, "status": {"authenticated": True, "user": user}}),
            status=201,
        )
        ensure(bao, "auth/kubernetes", type="kubernetes")
        bao.call(
            "POST", "auth/kubernetes/config", kubernetes_host=cluster.url, token_reviewer_jwt=pod,
            disable_local_ca_jwt=True, kubernetes_ca_cert=write_certificates(tmp_path).ca.read_text(), disable_iss_validation=True,
        )  # fmt: skip
        bao.call(
            "POST", "auth/kubernetes/role/fleet", bound_service_account_names="lakekey",
            bound_service_account_namespaces="fleet", token_policies=["lakekey"],
        )  # fmt: skip
        machine.use(VAULT_KUBERNETES_ROLE="fleet", VAULT_KUBERNETES_TOKEN_FILE=str(tmp_path / "token"))
        machine.seal()
        assert machine.opens()
        assert json.loads(cluster.asked[0].body)["spec"]["token"] == pod
        cluster.shutdown()
    refused = machine.refusal()  # the cluster is gone
    assert "kubernetes login refused" in refused.message
    assert pod not in str(refused)


def ensure(bao, path, **fields):
    """Mounts what may be there already."""
    with contextlib.suppress(urllib.error.HTTPError):
        bao.call("POST", f"sys/{path}", **fields)


def sealing_refused(machine):
    with pytest.raises(LakekeyError) as caught:
        machine.seal()
    assert caught.value.hint
    assert not (machine.directory / "cache.json").exists()  # nothing weaker takes its place
    return caught.value


@pytest.mark.parametrize(
    ("trouble", "words", "step"),
    [
        ("denied", "which this process may not use", "policy"),
        ("no token", "no usable credentials", "VAULT_TOKEN"),
        ("throttled", "is throttling requests", "wait a moment"),
        ("away", "did not answer", "bao status"),
        ("version", "which is disabled", "min_decryption_version"),
        ("soft-deleted", "scheduled for deletion", "soft-delete-restore"),
        ("deleted", "does not exist", "bao read transit/keys/"),
    ],
)
def test_each_failure_has_its_own_message_and_next_step(openbao_server, machine, monkeypatch, trouble, words, step):
    bao, key = openbao_server, f"key-{trouble.replace(' ', '-')}"
    bao.call("POST", f"transit/keys/{key}")
    token = bao.token(key=key)
    machine.use(LAKEKEY_KMS=f"vault:transit/{key}", VAULT_ADDR=bao.url, VAULT_TOKEN=token)
    running = machine.seal()
    undo = None
    if trouble == "denied":
        token = bao.token(key="another")
        machine.use(VAULT_TOKEN=token)
    elif trouble == "no token":
        monkeypatch.delenv("VAULT_TOKEN")
    elif trouble == "throttled":
        path = f"transit/decrypt/{key}"
        bao.call("POST", "sys/quotas/rate-limit/test", rate=0.001, path=path)
        undo = lambda: bao.call("DELETE", "sys/quotas/rate-limit/test")  # noqa: E731
        for _ in range(3):
            with pytest.raises(urllib.error.HTTPError):
                bao.call("POST", path, ciphertext="vault:v1:AAAA")
    elif trouble == "away":
        machine.use(VAULT_ADDR="http://127.0.0.1:9")
    elif trouble == "version":
        bao.call("POST", f"transit/keys/{key}/rotate")
        bao.call("POST", f"transit/keys/{key}/config", min_decryption_version=2)
    elif trouble == "soft-deleted":
        bao.call("DELETE", f"transit/keys/{key}/soft-delete")
    else:
        bao.call("POST", f"transit/keys/{key}/config", deletion_allowed=True)
        bao.call("DELETE", f"transit/keys/{key}")
    try:
        error = machine.refusal()
    finally:
        if undo:
            undo()
    assert words in error.message
    assert step in error.hint
    assert token not in str(error)
    # What runs already has its key, and goes on: it reads, and it seals.
    assert running.get("a" * 64).refresh_token == "kept"
    assert running.put("b" * 64, running.get("a" * 64), replaces=None)


@pytest.mark.parametrize("login", ["token", "approle"])
def test_a_sealed_server_stops_new_processes_until_it_is_unsealed_and_no_running_one(bao, machine, monkeypatch, login):
    running = machine.seal()
    if login == "approle":
        monkeypatch.delenv("VAULT_TOKEN")
        machine.use(VAULT_ROLE_ID="role-of-the-fleet", VAULT_SECRET_ID="made-up-for-the-seal")
    with bao.sealed():
        error = machine.refusal()
        assert "which is sealed (HTTP 503)" in error.message
        assert "bao operator unseal" in error.hint
        assert running.put("b" * 64, running.get("a" * 64), replaces=None)
        with pytest.raises(KeyUnavailable, match="which is sealed"):
            rotate(running)
    if login == "token":
        assert machine.opens()
    assert running.get("b" * 64).refresh_token == "kept"


def test_a_wrong_context_is_refused_by_the_server_itself(bao):
    service = VaultTransit("transit/lakekey", {"VAULT_ADDR": bao.url, "VAULT_TOKEN": bao.token()})
    wrapped = service.wrap(b"k" * 32, "cache a")
    assert service.unwrap(wrapped, "cache a") == b"k" * 32
    with pytest.raises(KmsTrouble) as caught:
        service.unwrap(wrapped, "cache b")
    assert caught.value.kind == Kind.CONTEXT


def test_the_transit_key_is_rotated_without_a_step_here(bao, machine):
    machine.seal()
    bao.call("POST", "transit/keys/lakekey/rotate")
    assert machine.opens()


def test_a_token_is_sent_over_tls_or_to_this_machine_only(machine):
    machine.use(LAKEKEY_KMS="vault:transit/lakekey", VAULT_ADDR="http://vault.example.com:8200", VAULT_TOKEN="t" * 20)
    assert "https" in sealing_refused(machine).hint
    machine.use(VAULT_ADDR="https://vault.example.com:8200", VAULT_SKIP_VERIFY="true")
    assert "VAULT_SKIP_VERIFY" in sealing_refused(machine).message


@pytest.mark.parametrize("path", ["", "transit", "/", "transit/", "tran sit/key", "../sys/key", "transit/key?x=1"])
def test_a_key_that_is_not_named_as_it_has_to_be_is_refused(path):
    with pytest.raises(ConfigurationError, match="does not name a mount and a key"):
        VaultTransit(path, {})


def test_the_pages_two_commands_set_it_up(openbao_server, machine, monkeypatch):
    page = (Path(__file__).parents[3] / "docs/reference/key-sources.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"^```sh\n(bao .*?)```", page, re.MULTILINE | re.DOTALL)
    first, second = commands.replace("transit", "page").replace("enable page", "enable -path=page transit").splitlines()
    programs = os.path.dirname(sys.executable)
    environ = {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(machine.directory.parent),
        "BAO_ADDR": openbao_server.url, "BAO_TOKEN": openbao_server.root,
    }  # fmt: skip
    done = subprocess.run(["sh", "-ec", first], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    settings = dict(each.split("=", 1) for each in second.removeprefix("export ").split())
    machine.use(**settings, VAULT_TOKEN=openbao_server.token(mount="page"))
    machine.use(VAULT_ADDR=openbao_server.url)
    machine.seal()
    assert machine.opens()


def test_a_ring_moves_from_one_service_to_another(bao, machine, aws_server):
    machine.seal()
    machine.use(LAKEKEY_KMS=f"aws:{aws_server.new_key()}", **aws_server.environ)
    assert "LAKEKEY_KMS names" in machine.refusal().message
    done = rotate(open_cache(moving=True), to="kms")
    assert (done.resealed, len(done.dropped)) == (1, 1)
    assert machine.opens()
    assert "vault" not in (machine.directory / "kms.ring").read_text()


def test_no_library_logs_the_key_at_debug(bao, machine, caplog):
    assert_silent(machine, caplog, os.environ["VAULT_TOKEN"])
