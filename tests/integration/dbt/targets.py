"""What becomes of a target's settings, without dbt around it; run in dbt's environment. Writes JSON."""

import json
import sys

from dbt.adapters.databricks.python_models.python_submissions import ServerlessClusterPythonJobHelper
from dbt.adapters.lakekey.credentials import LakekeyCredentials
from dbt_common.exceptions import DbtConfigError

MODEL = {"alias": "model", "schema": "weather", "database": "main", "config": {}}


def target(**settings):
    return LakekeyCredentials.from_dict({"profile": "sandbox", "schema": "weather", **settings})


def who(credentials):
    return ServerlessClusterPythonJobHelper(MODEL, credentials).api_client.curr_user.get_username()


def refused(name, **settings):
    try:
        target(**settings)
    except DbtConfigError as error:
        return f"`{name}`" in str(error)
    return False


elsewhere = target(host="https://example.cloud.databricks.com", http_path="/sql/1.0/warehouses/other")
wrong = {
    "token": {"token": "dapi0"},
    "auth_type": {"auth_type": "oauth"},
    "azure_client_id": {"azure_client_id": "an-id"},
    "oauth_scopes": {"oauth_scopes": ["sql"]},
    "use_kernel": {"connection_parameters": {"use_kernel": True}},
}
found = {
    "asked by Python models": who(target()),
    "with a service principal": who(target(**json.loads(sys.argv[1]))),
    "elsewhere": [elsewhere.host, elsewhere.http_path],
    "refused": [name for name, settings in wrong.items() if refused(name, **settings)],
}
print(json.dumps(found))
