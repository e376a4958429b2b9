"""nginx before a portal, as a proxy that signs people in: it sets the header that names the user, and nothing else may."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from support.servers.spark_server import free_port

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
    # Stands for the proxy's own sign-in.
    map $cookie_sso $who {{ default ""; "~^[a-z]+$" "$cookie_sso@example.com"; }}
    server {{  # leaves the path as it is, and speaks HTTP/1.0
        listen 127.0.0.1:{plain};
        location / {{
            proxy_pass http://127.0.0.1:{portal};
            proxy_set_header X-User $who;
        }}
    }}
    server {{  # takes the path off, keeps connections, and tells what it has changed
        listen 127.0.0.1:{stripping};
        location /lakekey/ {{
            proxy_pass http://127.0.0.1:{portal}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-User $who;
            proxy_set_header X-Forwarded-Prefix /lakekey;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
    server {{  # forgets the header, so that the visitor's own passes
        listen 127.0.0.1:{careless};
        underscores_in_headers on;
        location / {{ proxy_pass http://127.0.0.1:{portal}; }}
    }}
}}
"""


def nginx() -> str | None:
    """The program, where it is installed."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class WebFront:
    """nginx on loopback.

    Args:
        directory: Where its files go.
        portal: The portal's port.

    Attributes:
        plain: The port where the path stays as it is.
        stripping: The port where the portal's path is taken off.
        careless: The port where a visitor's own header passes.
    """

    def __init__(self, directory: Path, portal: int) -> None:
        self.plain, self.stripping, self.careless = free_port(), free_port(), free_port()
        self._directory = directory
        ports = {"plain": self.plain, "stripping": self.stripping, "careless": self.careless}
        directory.mkdir()
        (directory / "nginx.conf").write_text(_CONFIGURATION.format(directory=directory, portal=portal, **ports))

    def __enter__(self) -> Self:
        program, given = nginx(), self._directory / "nginx.conf"
        assert program is not None
        with (self._directory / "nginx.out").open("wb") as output:
            command = [program, "-e", str(self._directory / "error.log"), "-p", str(self._directory), "-c", str(given)]
            self._process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_PATIENCE)

    def _wait(self) -> None:
        """Waits until it serves."""
        deadline = time.monotonic() + _PATIENCE
        while not (self._directory / "nginx.pid").exists():
            said = (self._directory / "nginx.out").read_text()
            assert self._process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.02)
