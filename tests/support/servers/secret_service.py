"""A real Secret Service: gnome-keyring on a session bus of its own, in a home of its own."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import pytest

_PATIENCE = 20.0
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def require_secret_service() -> None:
    """Skips where the programs are not installed, unless everything is required."""
    missing = [name for name in ("dbus-daemon", "gnome-keyring-daemon") if shutil.which(name) is None]
    if missing and not os.environ.get("LAKEKEY_REQUIRE_ALL"):
        pytest.skip(f"{missing[0]} is not here: make test installs it from the distribution's packages")


class SecretService:
    """A session bus, and a keyring on it that can be unlocked, locked, stopped and taken away.

    Nothing on this bus is started on demand, so that a keyring that is not there stays so, and a keyring that wants to
    ask a person has no prompt to show.
    """

    backend = "keyring.backends.SecretService", "Keyring"

    def __init__(self, home: Path) -> None:
        self._home = home
        self._socket = home / "bus"
        self._daemon: subprocess.Popen[bytes] | None = None
        config = home / "bus.conf"
        config.write_text(_BUS.format(socket=self._socket))
        self._bus = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork"], stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._until(self._socket.exists)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.take_away()
        self._bus.kill()
        self._bus.wait()

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self._socket}",
            "HOME": str(self._home),
            "XDG_DATA_HOME": str(self._home / "data"),
            "XDG_RUNTIME_DIR": str(self._home),
        }

    def unlock(self) -> None:
        """A keyring whose person has signed in to the desktop."""
        self._start("--unlock", password=b"the person's password")

    def lock(self) -> None:
        """A keyring whose person has not signed in yet."""
        self._start()

    def hang(self) -> None:
        """A keyring that has the name on the bus, and answers nothing."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """The end of `hang`."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGCONT)

    def take_away(self) -> None:
        """No keyring at all."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
            self._daemon = None
            self._until(lambda: not self._is_there())

    def _start(self, *options: str, password: bytes | None = None) -> None:
        self.take_away()
        self._daemon = subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--components=secrets", *options],
            env={**os.environ, **self.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._daemon.stdin is not None
        self._daemon.stdin.write(password or b"")
        self._daemon.stdin.close()
        self._until(self._is_there)

    def _is_there(self) -> bool:
        from jeepney.bus_messages import message_bus
        from jeepney.io.blocking import Proxy, open_dbus_connection

        with open_dbus_connection(self.environ["DBUS_SESSION_BUS_ADDRESS"]) as connection:
            return bool(Proxy(message_bus, connection).NameHasOwner("org.freedesktop.secrets")[0])

    def _until(self, condition) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "the session bus or its keyring did not come up, or did not go away"
            time.sleep(0.01)
