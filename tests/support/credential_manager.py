"""Windows Credential Manager as a desktop has it, refuses it or lacks it; with the words of `SecretService`."""

import os
from pathlib import Path

_ABSENT = """
import sys
sys.modules["win32ctypes"] = sys.modules["win32ctypes.pywin32"] = None
"""
# What an account without a logon session gets, such as a service's (ERROR_NO_SUCH_LOGON_SESSION).
_REFUSES = """
from keyring.backends import Windows
def refuse(*_, **__):
    raise Windows.pywintypes.error(1312, "CredRead", "A specified logon session does not exist.")
Windows.win32cred.CredWrite = Windows.win32cred.CredRead = refuse
"""


class CredentialManager:
    """The one of this user. Each process that begins with `environ` finds it in the state of that moment."""

    backend = "keyring.backends.Windows", "WinVaultKeyring"

    def __init__(self, home: Path) -> None:
        self._begins = home / "sitecustomize.py"
        self.unlock()

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {**os.environ, "LAKEKEY_KEY_SOURCE": "", "PYTHONPATH": str(self._begins.parent)}

    def unlock(self) -> None:
        """It works."""
        self._begins.write_text("")

    def lock(self) -> None:
        """It refuses."""
        self._begins.write_text(_REFUSES)

    def take_away(self) -> None:
        """The library for it is not there."""
        self._begins.write_text(_ABSENT)
