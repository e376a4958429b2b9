"""A child finds its parent's secret on the same configuration, whatever stood beside it and whichever place gave it."""

import pickle
import random

import pytest

from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import SECRETS, resolve
from lakekey.configuration.unpickled import client_secret, sdk_settings
from lakekey.errors import ConfigurationError

HOSTS = ("https://one.azuredatabricks.net", "https://two.azuredatabricks.net")
CONSOLE = "https://accounts.azuredatabricks.net"
VALUES = {
    "host": (*HOSTS, f"{HOSTS[0]}/?o=1", f"{HOSTS[0]}/?o=2", f"{CONSOLE}/?account_id=a-1", "https//wrong"),
    "account_id": ("a-1", "b-2"),
    "workspace_id": ("1", "2", "none"),
    "azure_workspace_resource_id": ("/subscriptions/one", "/subscriptions/two"),
    "username": ("ada", "bob"),
    "azure_client_id": ("the-app", "another-app"),
    "azure_tenant_id": ("the-tenant", "another-tenant"),
    "azure_environment": ("usgov", "china"),
    "client_id": ("the-app", "another-app"),
    "discovery_url": HOSTS,
}
KINDS = [kind for kind in SECRETS if kind != "google-credentials"]  # whose variable is not one of Databricks'


@pytest.mark.parametrize("seed", range(4))
def test_child_finds_the_secret_of_its_parent(seed, tmp_path, monkeypatch):
    path = tmp_path / "profiles"
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    chance = random.Random(seed)
    signed_in = set()
    for number in range(120):
        kind = chance.choice(KINDS)
        name, _ = SECRETS[kind]
        layers = [
            {each: chance.choice(values) for each, values in VALUES.items() if chance.random() < density}
            for density in (0.15, 0.15, 0.5)
        ]
        arguments, variables, profile = layers
        for place in chance.choice(([variables], [profile], [variables, profile])):
            place[name] = f"dose-of-{number}-{'variable' if place is variables else 'profile'}"
        chance.choice(layers)["auth_type"] = kind
        section = chance.choice(("prod", "prod", "DEFAULT"))
        path.write_text("\n".join([f"[{section}]", *(f"{k} = {v}" for k, v in profile.items())]), encoding="utf-8")
        with monkeypatch.context() as around:
            for setting, value in variables.items():
                around.setenv(SETTINGS[setting].variables[0], value)
            try:
                target = resolve("prod" if section == "prod" else None, **arguments)
            except ConfigurationError:
                continue
            secret = target.client_secret if name == "client_secret" else target.sdk_settings.get(name)
            if secret is None or target.auth_type != kind:
                continue
            pickled = pickle.dumps(target)
            assert b"dose-of" not in pickled
            child = pickle.loads(pickled)
            found = client_secret(child) if name == "client_secret" else sdk_settings(child)[name]
            assert found == secret, (arguments, variables, profile)
            signed_in.add(kind)
    assert len(signed_in) > 3
