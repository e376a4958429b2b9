"""What ``lakekey profiles add`` writes of an address, and what it removes of the one before."""

import argparse
import json

import pytest

from lakekey.cli import profile_changes
from lakekey.configuration import databrickscfg


@pytest.mark.parametrize(
    ("host", "option", "account"),
    [
        ("https://accounts.cloud.databricks.com", None, "a-1"),
        ("https://accounts.cloud.databricks.com", "a-2", "a-2"),
        ("https://dbc-1.cloud.databricks.com", None, None),
        ("https://dbc-1.cloud.databricks.com", "a-2", "a-2"),
    ],
)
def test_account_of_the_address_is_written_for_a_console_and_dropped_for_a_workspace(tmp_path, host, option, account):
    file = tmp_path / "profiles"
    given = {**dict.fromkeys(profile_changes._SETTINGS), "account_id": option, "host": f"{host}/?account_id=a-1"}
    profile_changes.add(argparse.Namespace(**given, name="new", replace=False, json=True, config_file=str(file)))
    assert databrickscfg.read(str(file), "new").values == {"host": host, **({"account_id": account} if account else {})}


OLD = "[me]\nhost = https://old.example.com\naccount_id = a-1\nworkspace_id = 11\nuser = ada\n"
LEFT = {"account_id": "a-1", "workspace_id": "11"}


@pytest.mark.parametrize(
    ("given", "left", "gone"),
    [
        ({"host": "https://new.example.com"}, {}, "account_id, workspace_id"),
        ({"host": "https://new.example.com", "account_id": "a-2"}, {"account_id": "a-2"}, "workspace_id"),
        ({"host": "https://new.example.com/?o=22"}, {"workspace_id": "22"}, "account_id"),
        ({"host": "https://OLD.example.com/"}, LEFT, None),
        ({"cluster_id": "c-1"}, {**LEFT, "cluster_id": "c-1"}, None),
    ],
)
def test_what_is_of_the_former_host_goes_with_it_unless_it_is_given(tmp_path, capsys, given, left, gone):
    file = tmp_path / "profiles"
    file.write_text(OLD, encoding="utf-8")
    options = {**dict.fromkeys(profile_changes._SETTINGS), "host": None, **given}
    profile_changes.add(argparse.Namespace(**options, name="me", replace=True, json=False, config_file=str(file)))
    host = "https://old.example.com" if gone is None else "https://new.example.com"
    assert databrickscfg.read(str(file), "me").values == {"host": host, "user": "ada", **left}
    said = " ".join(capsys.readouterr().out.split())
    assert (f"Removed with the host that it had: {gone}." in said) is (gone is not None)
    assert ("Removed" in said) is (gone is not None)


def test_token_and_compute_of_the_former_host_go_with_it_and_no_secret_is_shown(tmp_path, capsys):
    of_it = {
        "warehouse_id": "w-1",
        "cluster_id": "c-1",
        "http_path": "/sql/x",
        "discovery_url": "https://old.example/o",
    }
    secrets = {"token": "dose-of-token", "password": "dose-of-password"}
    stays = {"client_id": "app", "client_secret": "dose-of-app", "ca_file": "/ca.pem"}
    file = tmp_path / "profiles"
    said = "".join(f"{name} = {value}\n" for name, value in {**of_it, **secrets, **stays}.items())
    file.write_text(f"[me]\nhost = https://old.example.com\n{said}", encoding="utf-8")
    options = {**dict.fromkeys(profile_changes._SETTINGS), "host": "https://new.example.com", "cluster_id": "c-2"}
    profile_changes.add(argparse.Namespace(**options, name="me", replace=True, json=False, config_file=str(file)))
    left = {"host": "https://new.example.com", "cluster_id": "c-2", **stays}
    assert databrickscfg.read(str(file), "me").values == left
    said = " ".join(capsys.readouterr().out.split())
    assert "Removed with the host that it had: warehouse_id, http_path, discovery_url, token, password." in said
    assert not any(secret in said for secret in (*secrets.values(), "dose-of-app"))


def test_what_cannot_be_a_host_counts_as_another_one(tmp_path):
    file = tmp_path / "profiles"
    file.write_text("[me]\nhost = https://\naccount_id = a-1\n", encoding="utf-8")
    options = {**dict.fromkeys(profile_changes._SETTINGS), "host": "https://new.example.com"}
    profile_changes.add(argparse.Namespace(**options, name="me", replace=True, json=True, config_file=str(file)))
    assert databrickscfg.read(str(file), "me").values == {"host": "https://new.example.com"}


@pytest.mark.parametrize(
    ("had", "now", "stays"),
    [
        ("/?o=11", "/?o=22", False),
        ("\nworkspace_id = 11", "/?o=22", False),
        ("/?o=11\nworkspace_id = 22", "/?o=22", True),
        ("/?o=11", "/?o=11", True),
        ("/?o=11", "", True),
        ("\nworkspace_id = none", "/?o=22", True),
        ("", "/?o=22", True),
    ],
)
def test_token_and_compute_of_another_workspace_of_the_host_go_and_the_account_stays(tmp_path, capsys, had, now, stays):
    of_it = {"warehouse_id": "w-1", "cluster_id": "c-1", "http_path": "/sql/x", "token": "dose-of-token"}
    left = {"account_id": "a-1", "discovery_url": "https://old.example/o", "client_secret": "dose-of-app"}
    file = tmp_path / "profiles"
    said = "".join(f"{name} = {value}\n" for name, value in {**of_it, **left}.items())
    file.write_text(f"[me]\nhost = https://old.example.com{had}\n{said}", encoding="utf-8")
    options = {**dict.fromkeys(profile_changes._SETTINGS), "host": f"https://old.example.com{now}"}
    profile_changes.add(argparse.Namespace(**options, name="me", replace=True, json=False, config_file=str(file)))
    values = databrickscfg.read(str(file), "me").values
    kept = {name: value for name, value in values.items() if name not in ("host", "workspace_id")}
    assert kept == ({**of_it, **left} if stays else left)
    said = " ".join(capsys.readouterr().out.split())
    gone = "Removed with the workspace that it had: warehouse_id, cluster_id, http_path, token."
    assert (gone in said, "Removed" in said) == (not stays, not stays)


def replaced(tmp_path, text, host, *, as_json=False):
    """What ``profiles add me --replace --host …`` leaves of a profile."""
    file = tmp_path / "profiles"
    file.write_text(f"[me]\n{text}", encoding="utf-8")
    options = {**dict.fromkeys(profile_changes._SETTINGS), "host": host}
    profile_changes.add(argparse.Namespace(**options, name="me", replace=True, json=as_json, config_file=str(file)))
    return databrickscfg.read(str(file), "me").values


@pytest.mark.parametrize(
    ("host", "former", "gone"),
    [
        ("https://new.example.com", "host", ("token_audience", "audience")),
        ("https://old.example.com/?o=22", "workspace", ()),
        ("https://old.example.com/?o=none", "workspace", ()),
    ],
)
def test_resource_and_metadata_service_go_with_the_workspace_and_audience_with_the_host(
    tmp_path, capsys, host, former, gone
):
    of_it = {"azure_workspace_resource_id": "/r/1", "metadata_service_url": "http://127.0.0.1/dose-of-path"}
    rest = {"token_audience": "aud", "audience": "aud", "user": "ada"}
    text = "".join(f"{name} = {value}\n" for name, value in {**of_it, **rest}.items())
    left = replaced(tmp_path, f"host = https://old.example.com/?o=11\n{text}", host)
    kept = {name: value for name, value in rest.items() if name not in gone}
    assert {name: value for name, value in left.items() if name not in ("host", "workspace_id")} == kept
    said = " ".join(capsys.readouterr().out.split())
    assert f"Removed with the {former} that it had: {', '.join((*of_it, *gone))}. Kept: {', '.join(kept)}." in said
    assert "dose-of-path" not in said


def test_where_a_secret_that_stays_is_sent_is_said_for_another_host_alone(tmp_path, capsys):
    text = "host = https://old.example.com/?o=11\nclient_id = app\nclient_secret = dose-of-app\n"
    warning = "client_secret is sent to https://new.example.com: remove it unless that host is of the same account."
    for host, warned in (("https://new.example.com", True), ("https://old.example.com/?o=22", False)):
        assert replaced(tmp_path, text, host)["client_secret"] == "dose-of-app"
        said = " ".join(capsys.readouterr().out.split())
        assert (warning in said, "is sent to" in said) == (warned, warned)
        assert "dose-of-app" not in said


@pytest.mark.parametrize(
    ("had", "now", "workspace", "said"),
    [
        ("/?o=11", "", "11", True),
        ("/?o=11", "/?o=none", None, False),
        ("\nworkspace_id = 11", "", "11", False),
        ("\nworkspace_id = 11", "/?o=none", None, False),
        ("/?o=11\nworkspace_id = none", "", "none", False),
        ("", "/?o=none", None, False),
    ],
)
def test_workspace_of_the_same_host_stays_unless_another_or_none_is_named(tmp_path, capsys, had, now, workspace, said):
    left = replaced(tmp_path, f"host = https://old.example.com{had}\nuser = ada\n", f"https://old.example.com{now}")
    assert left.get("workspace_id") == workspace
    assert ("It stays in the workspace 11" in " ".join(capsys.readouterr().out.split())) is said


def test_program_reads_what_was_removed_and_what_was_kept(tmp_path, capsys):
    replaced(
        tmp_path,
        "host = https://old.example.com\naccount_id = a\nuser = ada\n",
        "https://new.example.com",
        as_json=True,
    )
    found = json.loads(capsys.readouterr().out)
    assert (found["removed"], found["kept"]) == (["account_id"], ["user"])
