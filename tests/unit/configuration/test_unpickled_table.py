"""Which secret an unpickled target gets: by who said what it is for where it was pickled, and who says what here."""

import pickle

import pytest

from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import Target, resolve
from lakekey.configuration.unpickled import client_secret, sdk_settings
from lakekey.errors import ConfigurationError

SECRET = "dose-of-today"
HOSTS = ("https://one.azuredatabricks.net", "https://two.azuredatabricks.net", "https://three.azuredatabricks.net")
AT_HOST = {"host": HOSTS[0]}
NAMES = ("ada", "bob", "eve")
AZURE = {"azure_client_id": "the-app", "azure_tenant_id": "the-tenant"}
RESOURCES = ("/subscriptions/one", "/subscriptions/two", "/subscriptions/three")
# What a secret is for, and three values of it: the target's own, another one, and a third.
SDK = [
    ("pat", {}, "host", HOSTS),
    ("pat", AT_HOST, "workspace_id", ("1", "2", "3")),
    ("pat", AT_HOST, "account_id", NAMES),
    ("pat", AT_HOST, "azure_workspace_resource_id", RESOURCES),
    ("basic", {"username": "ada"}, "host", HOSTS),
    ("basic", AT_HOST, "username", NAMES),
    ("metadata-service", {}, "host", HOSTS),
    ("google-credentials", {}, "host", HOSTS),
    ("azure-client-secret", AZURE, "host", HOSTS),
    ("azure-client-secret", {**AT_HOST, **AZURE}, "azure_client_id", NAMES),
    ("azure-client-secret", {**AT_HOST, **AZURE}, "azure_tenant_id", NAMES),
    ("azure-client-secret", {**AT_HOST, **AZURE}, "azure_environment", NAMES),
    ("azure-client-secret", {**AT_HOST, **AZURE}, "azure_workspace_resource_id", RESOURCES),
]
APPS = [
    ("oauth-m2m", {"client_id": "the-app"}, "host", HOSTS),
    ("oauth-m2m", {**AT_HOST, "client_id": "the-app"}, "account_id", NAMES),
    ("oauth-m2m", {**AT_HOST, "client_id": "the-app"}, "discovery_url", HOSTS),
    ("external-browser", {"client_id": "the-app"}, "host", HOSTS),
]
SECRETS = {
    "pat": "token", "basic": "password", "metadata-service": "metadata_service_url",
    "google-credentials": "google_credentials", "azure-client-secret": "azure_client_secret",
    "oauth-m2m": "client_secret", "external-browser": "client_secret",
}  # fmt: skip
# Where the secret is; what the argument, the variable and the profile said of what it is for when it was pickled: our
# own value, another one, or nothing. What is found, or not, where
#   here is the same | the profile says a third, our own, nothing | the variable a third | both a third | it nothing
TABLE = """
profile    -    -    own      + - + + + - +
profile    -    own  -        + - + + - - +
profile    -    own  other    + - + + - - -
profile    own  -    -        + - + + + - +
profile    own  -    other    + - + + + - +
profile    own  other -        + - + + + - +
variable   -    -    own      + - + + - - +
variable   -    own  -        + + + + - - +
variable   -    own  other    + + + + - - -
variable   own  -    -        + + + + - - +
variable   own  -    other    + + + + - - +
variable   own  other -        + + + + - - +
"""
# The pickle of an earlier release says only who gave our own value, so an argument beside another one is refused, and
# what a variable gave is not compared with what the profile says beneath it.
EARLIER = """
profile    -    -    own      + - + + + - +
profile    -    own  -        + + + + - - +
profile    -    own  other    + + + + - - -
profile    own  -    -        + - + + + - +
profile    own  -    other    - - + + - - -
profile    own  other -        + - + + + - +
variable   -    -    own      + - + + - - +
variable   -    own  -        + + + + - - +
variable   -    own  other    + + + + - - -
variable   own  -    -        + + + + - - +
variable   own  -    other    + + + + - - +
variable   own  other -        - - - - - - +
"""


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Writes what the variables and the profile say, and takes back what the variables said before."""
    path = tmp_path / "profiles"
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))

    def write(around, profile, name="prod"):
        for setting in SETTINGS.values():
            for variable in setting.variables:
                if variable.startswith(("DATABRICKS_", "ARM_", "GOOGLE_")):
                    monkeypatch.delenv(variable, raising=False)
        for setting, value in around.items():
            monkeypatch.setenv(SETTINGS[setting].variables[0], value)
        path.write_text("\n".join([f"[{name}]", *(f"{k} = {v}" for k, v in profile.items())]), encoding="utf-8")

    return write


def carried(target):
    """The target as another process has it."""
    return pickle.loads(pickle.dumps(target))


def of_an_earlier_release(target):
    """The target as a pickle has it that does not remember what stood beside the secret."""
    revive, (values,) = target.__reduce__()
    del values["beside"]
    arrived = revive(pickle.loads(pickle.dumps(values)))
    assert isinstance(arrived, Target)
    return arrived


def found(target):
    """The secret, or nothing."""
    name = SECRETS[target.auth_type]
    try:
        return client_secret(target) if name == "client_secret" else sdk_settings(target)[name]
    except ConfigurationError as error:
        assert "pickles do not carry it" in error.message
        assert SECRET not in str(error)
        return ""


def table_of(configured, subject, arrive, table):
    """The table as it comes out, each line with what is found in its seven cases."""
    for line in table.strip().splitlines():
        place, *said = line.split()[:4]
        cells = " ".join(results(configured, subject, place, said, arrive))
        yield f"{place:10} {said[0]:4} {said[1]:4} {said[2]:8} {cells}"


def results(configured, subject, place, said, arrive):
    """What is found in each of the seven cases."""
    auth_type, fixed, name, (own, other, third) = subject
    argument, variable, profile = ({"own": own, "other": other, "-": None}[each] for each in said)

    def configure(variable, profile):
        beside = {"auth_type": auth_type, SECRETS[auth_type]: SECRET}  # which for a person's app belong together
        around = {**({name: variable} if variable else {}), **(beside if place == "variable" else {})}
        lines = {**fixed, name: profile, **(beside if place == "profile" else {})}
        configured(around, {each: value for each, value in lines.items() if value is not None})

    configure(variable, profile)
    target = resolve("prod", **({name: argument} if argument else {}))
    assert target.auth_type == auth_type
    target = arrive(target)
    for here in (
        (variable, profile), (variable, third), (variable, own), (variable, None), (third, profile), (third, third),
        (None, profile),
    ):  # fmt: skip
        configure(*here)
        yield "+" if found(target) == SECRET else "-"


def ids(subject):
    return f"{subject[0]}-{subject[2]}"


@pytest.mark.parametrize("subject", [*SDK, *APPS], ids=ids)
def test_secret_is_found_where_nothing_that_it_stands_beside_is_anothers(configured, subject):
    assert "\n".join(table_of(configured, subject, carried, TABLE)) == TABLE.strip()


@pytest.mark.parametrize("subject", [SDK[0], SDK[5], SDK[9]], ids=ids)
def test_pickle_of_an_earlier_release_is_compared_by_what_it_has(configured, subject):
    assert "\n".join(table_of(configured, subject, of_an_earlier_release, EARLIER)) == EARLIER.strip()


def test_app_in_a_pickle_of_an_earlier_release_is_compared_by_its_client_alone(configured):
    lines = list(table_of(configured, APPS[0], of_an_earlier_release, TABLE))
    assert [line[-14:] for line in lines] == [" + + + + + + +"] * 12


CONSOLE = "https://accounts.azuredatabricks.net"


@pytest.mark.parametrize(
    ("arguments", "around", "profile"),
    [
        ({}, {}, {"host": f"{HOSTS[0]}/?o=2", "workspace_id": "1"}),
        ({}, {"workspace_id": "1"}, {"host": f"{HOSTS[0]}/?o=2"}),
        ({}, {"host": f"{HOSTS[0]}/?o=2"}, {"workspace_id": "1"}),
        ({"workspace_id": "1"}, {}, {"host": f"{HOSTS[0]}/?o=2"}),
        ({"workspace_id": "1"}, {}, {"host": f"{HOSTS[0]}/?o=2", "workspace_id": "3"}),
        ({"host": f"{HOSTS[0]}/?o=1"}, {}, {"host": f"{HOSTS[0]}/?o=2"}),
        ({"host": f"{HOSTS[0]}/?o=1"}, {"workspace_id": "none"}, {"workspace_id": "3"}),
        ({"account_id": "a-1"}, {}, {"host": f"{CONSOLE}/?account_id=b-2"}),
        ({}, {"account_id": "a-1"}, {"host": f"{CONSOLE}/?account_id=b-2"}),
        ({}, {}, {"host": f"{CONSOLE}/?account_id=b-2", "account_id": "a-1"}),
        ({}, {"host": f"{CONSOLE}/?account_id=b-2"}, {"account_id": "a-1"}),
        ({"host": HOSTS[0]}, {}, {"host": "https//two.azuredatabricks.net"}),
        ({"host": HOSTS[0], "workspace_id": "1"}, {"host": HOSTS[1]}, {"host": HOSTS[2], "workspace_id": "3"}),
    ],
)
@pytest.mark.parametrize("place", ["profile", "variable"])
def test_child_finds_what_its_parent_signs_in_with(configured, arguments, around, profile, place):
    secret = {"auth_type": "pat", "token": SECRET}
    configured(*([{**around, **secret}, profile] if place == "variable" else [around, {**profile, **secret}]))
    assert found(carried(resolve("prod", **arguments))) == SECRET


@pytest.mark.parametrize(
    ("around", "before", "now"),
    [
        ({"workspace_id": "1"}, f"{HOSTS[0]}/?o=2", f"{HOSTS[0]}/?o=3"),
        ({"account_id": "a-1"}, f"{CONSOLE}/?account_id=b-2", f"{CONSOLE}/?account_id=c-3"),
        ({"host": HOSTS[0]}, "https//two.azuredatabricks.net", HOSTS[1]),
    ],
    ids=["workspace", "account", "host"],
)
def test_address_that_changed_beneath_a_variable_is_another(configured, around, before, now):
    secret = {"auth_type": "pat", "token": SECRET}
    configured(around, {"host": before, **secret})
    target = carried(resolve("prod"))
    assert found(target) == SECRET
    configured(around, {"host": now, **secret})
    assert found(target) == ""


@pytest.mark.parametrize("place", ["profile", "variable"])
def test_secret_that_was_an_argument_is_found_only_where_nothing_is_anothers(configured, place):
    token = {"token": SECRET, "auth_type": "pat"}
    configured(*([{"host": HOSTS[1], **token}, {}] if place == "variable" else [{}, {"host": HOSTS[1], **token}]))
    target = carried(resolve("prod", host=HOSTS[0], token="dose-of-mine"))
    assert found(target) == ""
    for said, result in ((HOSTS[0], SECRET), (None, SECRET), (HOSTS[2], "")):
        beside = {**({"host": said} if said else {}), **token}
        configured(*([beside, {}] if place == "variable" else [{}, beside]))
        assert found(target) == result


def test_what_stood_beside_a_secret_is_remembered_of_that_place_alone(configured):
    token = {"token": SECRET, "auth_type": "pat"}
    configured({}, {"host": HOSTS[1], **token})
    target = carried(resolve("prod", host=HOSTS[0]))
    assert found(target) == SECRET
    configured({"host": HOSTS[1], **token}, {})
    assert found(target) == ""
    configured({"host": HOSTS[1], **token}, {"host": HOSTS[1], **token})
    assert found(target) == SECRET, "the profile's own"


@pytest.mark.parametrize("name", ["other", "DEFAULT"])
def test_secret_of_another_profile_has_to_be_for_the_targets_host(configured, monkeypatch, name):
    token = {"token": SECRET, "auth_type": "pat"}
    configured({}, {**AT_HOST, **token})
    target = carried(resolve("prod"))
    other = {"host": HOSTS[1]}
    for around, profile, result in (
        ({}, AT_HOST, SECRET), ({}, other, ""), ({}, {}, ""), (AT_HOST, {}, SECRET), (other, {}, ""),
    ):  # fmt: skip
        configured(around, {**profile, **token}, name)
        monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", name)
        assert found(target) == result


def test_secret_of_the_default_profile_is_found_for_a_host_that_was_an_argument(configured):
    token = {"token": SECRET, "auth_type": "pat"}
    target = carried(resolve(None, {}, host=HOSTS[0], **token))
    for host, result in ((HOSTS[0], SECRET), (HOSTS[1], ""), (None, "")):
        configured({}, {**({"host": host} if host else {}), **token}, "DEFAULT")
        assert found(target) == result


def test_variable_beside_a_profile_that_leads_elsewhere_here_is_not_taken_without_it(configured):
    configured({}, {"host": HOSTS[0], "token": "dose-of-old", "auth_type": "pat"})
    target = carried(resolve("prod"))
    configured({"token": SECRET}, {"host": HOSTS[1]})
    assert found(target) == ""
    configured({"token": SECRET}, {"host": HOSTS[1]}, "another")
    assert found(target) == SECRET


def test_token_beside_a_resource_is_for_no_host_that_a_variable_names(configured):
    token = {"token": SECRET, "auth_type": "pat"}
    configured({}, {**AT_HOST, **token})
    target = carried(resolve("prod"))
    configured(AT_HOST, {"azure_workspace_resource_id": RESOURCES[1], **token})
    assert found(target) == ""
    assert found(carried(resolve("prod"))) == SECRET, "as the parent here had it"


def test_pickle_remembers_no_secret_of_what_an_argument_hides(configured):
    hidden = {
        "host": "https://ada:dose-of-ada@two.azuredatabricks.net/dose-of-path?o=2&key=dose-of-query#dose-of-end",
        "discovery_url": "https://two.azuredatabricks.net/dose-of-path?key=dose-of-query",
        "client_id": "the-app",
        "client_secret": SECRET,
        "token": "dose-of-token",
        "password": "dose-of-password",
    }
    configured({}, hidden)
    target = resolve("prod", host=HOSTS[0], discovery_url=HOSTS[0])
    assert dict(target.beside) == {"host": "malformed", "client_id": "the-app", "discovery_url": HOSTS[1]}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert b"dose-of" not in pickle.dumps(target, protocol)
    assert carried(carried(target)).beside == target.beside
    configured({}, {**hidden, "host": hidden["host"].replace("ada:dose-of-ada@", "")})
    target = resolve("prod", host=HOSTS[0], discovery_url=HOSTS[0])
    assert dict(target.beside)["host"] == HOSTS[1]
    assert b"dose-of" not in pickle.dumps(target)
