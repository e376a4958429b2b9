"""nginx on loopback, with servers of the caller's."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

_PATIENCE = 60.0
_CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{http}
}}
"""


def nginx() -> str | None:
    """The program, where it is installed."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Nginx:
    """The program, which runs within a ``with`` statement.

    Args:
        directory: Where its files go.
        http: What stands in the ``http`` block.
    """

    def __init__(self, directory: Path, http: str) -> None:
        self._directory = directory
        self._configuration = _CONFIGURATION.format(directory=directory, http=http)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program, given = nginx(), self._directory / "nginx.conf"
        assert program is not None, "nginx is missing: make test installs it"
        given.write_text(self._configuration)
        with (self._directory / "nginx.out").open("wb") as output:
            command = [program, "-e", str(self._directory / "error.log"), "-p", str(self._directory), "-c", str(given)]
            self._process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            self._wait(self._process)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(_PATIENCE)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        """Waits until it serves."""
        deadline = time.monotonic() + _PATIENCE
        while not (self._directory / "nginx.pid").exists():
            said = (self._directory / "nginx.out").read_text()
            assert process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.02)
