"""What ``lakekey doctor`` says of settings that lose against others."""

import pytest

from lakekey.cli.doctor.configuration import check_conflicts
from lakekey.configuration.auth_type import select
from lakekey.configuration.layers import read_layers
from lakekey.configuration.target import resolve

HOST = "https://dbc.cloud.databricks.com"


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("workspace_id = 11", "give workspace_id beside the host that counts, or put ?o= into its address"),
        ("username = ada", "remove it, or name auth_type to choose it"),
    ],
)
def test_setting_that_does_not_count_is_shown_with_what_makes_it_count(tmp_path, setting, hint):
    file = tmp_path / "profiles"
    file.write_text(f"[prod]\nhost = https://other.example.com\n{setting}\n", encoding="utf-8")
    environ = {"DATABRICKS_CONFIG_FILE": str(file)}
    layers = read_layers("prod", environ, {"host": HOST})
    layers.take_workspace_of_the_host()
    select(layers, environ)
    found = list(check_conflicts(layers, resolve("prod", environ, host=HOST)))
    assert [check.next_step for check in found] == [hint]
