"""A real Spark Connect server from the pip package, in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

_START_SECONDS = 90
_STOP_SECONDS = 20


class SparkServer:
    """Spark Connect on a loopback port, in clear and without authentication: a front has to stand before it.

    Args:
        directory: Where Spark keeps its files.
    """

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # The 3.5 client has no server to go with it: it brings another environment's.
        python = os.environ.get("SPARK_SERVER_PYTHON", sys.executable)
        where = "import importlib.util as u; print(u.find_spec('pyspark').submodule_search_locations[0])"
        home = subprocess.check_output([python, "-c", where], text=True).strip()
        settings = {
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(self.port),
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.local.dir": str(self._directory),
            "spark.sql.warehouse.dir": str(self._directory / "warehouse"),
            "spark.sql.shuffle.partitions": "2",
            # As on a cluster, only sooner: a long query is fetched over many RPCs, each of which is signed on its own.
            "spark.connect.execute.reattachable.senderMaxStreamDuration": "3s",
        }
        command = [os.path.join(home, "bin", "spark-submit"), "--master", "local[2]", "--driver-memory", "1g"]
        for name, value in settings.items():
            command += ["--conf", f"{name}={value}"]
        command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK", "PYSPARK"))}
        environment |= {"SPARK_HOME": home, "PYSPARK_PYTHON": python, "SPARK_LOCAL_IP": "127.0.0.1"}
        with self._log.open("wb") as log:
            # A session of its own: a Ctrl-C meant for the tests must not reach it before they are done.
            self._process = subprocess.Popen(
                command, cwd=self._directory, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        # spark-submit becomes the JVM by exec; its Python workers are its children, in the same group.
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sign)
                process.wait(_STOP_SECONDS)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"the Spark server did not start:\n{self._log.read_text(errors='replace')[-4000:]}")


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
