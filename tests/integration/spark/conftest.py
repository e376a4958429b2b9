"""One Spark server, one workspace and one front for the whole run; what a test sets is gone after it."""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import lakekey
from lakekey.sandbox import Sandbox
from support.servers.grpc_front import GrpcFront
from support.servers.spark_front import SparkFront
from support.servers.spark_server import SparkServer

CLUSTER = Sandbox.cluster_id


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--databricks-connect",
        metavar="PROFILE",
        help="also run the test of Databricks Connect, which you have installed, on the workspace of this profile",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "databricks_connect: needs a workspace and a package that only users have")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--databricks-connect"):
        return
    unwanted = [item for item in items if item.get_closest_marker("databricks_connect")]
    items[:] = [item for item in items if item not in unwanted]
    config.hook.pytest_deselected(items=unwanted)


def pytest_runtest_logfinish() -> None:
    """Have sessions of a test end with it.

    pyspark 3.5 takes a lock of its own in ``SparkSession.__del__``. Where the garbage collector comes by while pyspark
    starts threads under that lock, it waits for itself.
    """
    gc.collect()


@pytest.fixture(scope="session")
def workspace_of_the_run() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture(scope="session")
def spark_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    directory = tmp_path_factory.mktemp("spark")
    with SparkServer(directory) as server:
        yield server


@pytest.fixture(scope="session")
def front(
    workspace_of_the_run: Sandbox, spark_server: SparkServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkFront]:
    directory = tmp_path_factory.mktemp("front")
    with SparkFront(directory, workspace=workspace_of_the_run.host, spark_port=spark_server.port) as running:
        yield running


@pytest.fixture
def workspace(workspace_of_the_run: Sandbox, front: SparkFront) -> Iterator[Sandbox]:
    """The workspace, as new, with long-lived tokens. Its public address is ``front.host``."""
    box = workspace_of_the_run

    def reset() -> None:
        box.clear_faults()
        box.set_lifetime(3600)
        box.revoke()
        box.reset_log()

    reset()
    yield box
    reset()


@pytest.fixture(scope="session")
def hostile_of_the_run(spark_server: SparkServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrpcFront]:
    with GrpcFront(tmp_path_factory.mktemp("hostile"), spark_server.port) as running:
        yield running


@pytest.fixture
def hostile(hostile_of_the_run: GrpcFront) -> GrpcFront:
    """A front that does as it is told, and nothing wrong yet."""
    hostile_of_the_run.clear()
    return hostile_of_the_run


@pytest.fixture
def principal(workspace: Sandbox, front: SparkFront) -> lakekey.Provider:
    """The service principal of the workspace."""
    return lakekey.provider(
        host=front.host,
        client_id=workspace.client_id,
        client_secret=workspace.client_secret,
        cluster_id=CLUSTER,
        ca_file=front.ca_file,
    )


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory, front: SparkFront) -> Path:
    """A browser whose person changes: Python keeps the first ``BROWSER`` that it finds. The file says who sits there."""
    directory = tmp_path_factory.mktemp("browser")
    (directory / "browser.py").write_text(
        "import sys\n"
        "from lakekey.sandbox import Person\n"
        f"Person(open({str(directory / 'person')!r}).read(), ca_file={front.ca_file!r}).answer(sys.argv[1])\n"
    )
    return directory


@pytest.fixture
def person(
    workspace: Sandbox, front: SparkFront, browser: Path, monkeypatch: pytest.MonkeyPatch, attended: None
) -> Callable[..., lakekey.Provider]:
    """Signs a person of the workspace in through the browser: ``person("ada@example.com")``."""
    monkeypatch.setenv("BROWSER", f"{sys.executable} {browser / 'browser.py'} %s")

    def sign_in(user: str = "ada@example.com") -> lakekey.Provider:
        (browser / "person").write_text(user)
        provider = lakekey.provider(host=front.host, user=user, cluster_id=CLUSTER, ca_file=front.ca_file)
        provider.login()
        return provider

    return sign_in


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """``lakekey.spark.session``, whose sessions end with the test."""
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
    made = []

    def session(*arguments: Any, **settings: Any) -> Any:
        made.append(lakekey.spark.session(*arguments, **settings))
        return made[-1]

    yield session
    for spark in made:
        spark.release_session_on_close = False
        with suppress(Exception):
            spark.stop()


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """Waits until a condition holds."""

    def wait(condition: Callable[[], Any], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come about in time"
            time.sleep(0.02)

    return wait


@pytest.fixture(autouse=True)
def _no_spark_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SPARK_", "PYSPARK_", "GRPC_")):
            monkeypatch.delenv(name)
