"""A password in the address of a store is in nothing that a command prints, however the address is written."""

import logging

import pytest

from lakekey.cli import main
from support.store_addresses import MALFORMED, SECRET, WITH_A_PASSWORD

COMMANDS = (
    "overview", "status", "status --json", "login --check", "logout", "logout --all", "token", "whoami", "doctor",
    "doctor --json", "keys", "store check", "secret list", "env", "auth token", "keep-alive --once", "import",
)  # fmt: skip


@pytest.fixture
def loggers():
    """What --debug changes for good, in a process that goes on."""
    changed = [logging.getLogger(name) for name in ("lakekey", "urllib3.connectionpool")]
    before = [(each, each.handlers[:], each.level, each.propagate) for each in changed]
    yield changed
    for logger, *settings in before:
        logger.handlers, level, logger.propagate = settings
        logger.setLevel(level)


@pytest.mark.parametrize("written", ["in the environment", "in the profile"])
@pytest.mark.parametrize("address", [*MALFORMED, WITH_A_PASSWORD[0]])
def test_no_command_prints_the_password(address, written, tmp_path, monkeypatch, capfd, unattended, loggers):
    file = tmp_path / "databrickscfg"
    store = f"store = {address}\n" if written == "in the profile" else ""
    file.write_text(f"[DEFAULT]\nhost = https://dbc-1.cloud.databricks.com\n{store}")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "cache"))
    if not store:
        monkeypatch.setenv("LAKEKEY_STORE", address)
    for command in COMMANDS:
        for logger in loggers:
            logger.handlers.clear()  # those of the command before
        main([*command.split(), "--debug"])
        said = "".join(capfd.readouterr())
        assert SECRET not in said, command
        assert "Traceback" not in said, command
