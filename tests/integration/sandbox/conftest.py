import pytest
import requests
from databricks import sql

from lakekey.sandbox import Sandbox
from support.tiny_client import TinyClient


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


@pytest.fixture(scope="module")
def access_token(box):
    form = {"grant_type": "client_credentials", "scope": "sql"}
    url = f"{box.host}/oidc/v1/token"
    answer = requests.post(url, data=form, auth=(box.client_id, box.client_secret), verify=box.ca_file, timeout=10)
    return answer.json()["access_token"]


@pytest.fixture
def connect(box, access_token):
    """Opens connections of the unmodified connector; closes them at the end."""
    opened = []

    def connect(**options):
        opened.append(sql.connect(access_token=access_token, **box.connect_args(), **options))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def ask(connect):
    """Runs statements on one connection; gives the rows of the last, and the types of its columns as ``ask.kinds``."""
    cursor = connect().cursor()

    def ask(*statements, **options):
        for statement in statements:
            cursor.execute(statement, **options)
        ask.kinds = [column[1] for column in cursor.description or ()]
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    return ask


@pytest.fixture
def client(oidc_server):
    """A client of the independent server, which knows nothing of lakekey."""
    return TinyClient(oidc_server)
