"""What ``lakekey profiles add`` writes of an address that was copied from the browser."""

import argparse

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
