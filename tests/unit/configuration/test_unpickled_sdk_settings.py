"""One of the SDK's identities that was unpickled gets its own secret of this machine, and nothing else of it."""

import pickle

import pytest

from lakekey.configuration.target import resolve
from lakekey.configuration.unpickled import sdk_settings
from lakekey.errors import ConfigurationError

HOST = "https://adb-1.1.azuredatabricks.net"
SECRET = "dose-of-today"
APP = {"azure_client_id": "the-app", "azure_tenant_id": "the-tenant"}
AZURE = {"auth_type": "azure-client-secret", **APP, "azure_client_secret": SECRET}
BASIC = {"auth_type": "basic", "username": "ada", "password": SECRET}
PAT = {"auth_type": "pat", "token": SECRET}
AT_HOST = {"host": HOST}
CONSOLE = "https://accounts.cloud.databricks.com"
RESOURCE = {"azure_workspace_resource_id": "/subscriptions/one"}
ANOTHER = {"azure_workspace_resource_id": "/subscriptions/another"}


@pytest.fixture
def unpickled(tmp_path, monkeypatch):
    """What is found for a profile as it was pickled, where this machine has other lines in it."""
    path = tmp_path / "profiles"
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))

    def write(lines):
        path.write_text("\n".join(["[prod]", *(f"{k} = {v}" for k, v in lines.items())]), encoding="utf-8")

    def find(pickled, here, *, at=None, around=(), **arguments):
        write(pickled)
        target = resolve("prod", **arguments)
        carried = pickle.dumps(target.at(at) if at else target)
        write(here)
        with monkeypatch.context() as on_this_machine:
            for variable, value in dict(around).items():
                on_this_machine.setenv(variable, value)
            return dict(sdk_settings(pickle.loads(carried)))

    return find


@pytest.mark.parametrize(
    ("pickled", "here", "difference"),
    [
        (AZURE, {**AZURE, "azure_client_id": "other"}, "azure_client_id is other (profile prod), not the-app"),
        (AZURE, {**AZURE, "azure_tenant_id": "other"}, "azure_tenant_id is other (profile prod), not the-tenant"),
        (
            {**AZURE, "azure_environment": "usgov"},
            {**AZURE, "azure_environment": "china"},
            "azure_environment is china (profile prod), not usgov",
        ),
        (
            {**AZURE, **RESOURCE},
            {**AZURE, **ANOTHER},
            "is /subscriptions/another (profile prod), not /subscriptions/one",
        ),
        (BASIC, {**BASIC, "username": "bob"}, "username is bob (profile prod), not ada"),
        ({**PAT, "account_id": "a-1"}, {**PAT, "account_id": "a-2"}, "account_id is a-2 (profile prod), not a-1"),
        ({**PAT, "workspace_id": "1"}, {**PAT, "workspace_id": "2"}, "workspace_id is 2 (profile prod), not 1"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value.partition(" ")[0],
)
def test_secret_of_another_identity_for_the_same_host_is_refused(unpickled, pickled, here, difference):
    with pytest.raises(ConfigurationError, match="pickles do not carry it, and the one that is here is") as caught:
        unpickled({**AT_HOST, **pickled}, {**AT_HOST, **here})
    assert caught.value.message.endswith(difference)
    assert caught.value.profile == "prod"
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("pickled", "here", "hiding", "arguments", "difference"),
    [
        (
            {**AT_HOST, **PAT},
            {**PAT, "host": "https://other.example.com"},
            {"DATABRICKS_HOST": HOST},
            {},
            f"host is https://other.example.com (profile prod), not {HOST}",
        ),
        (
            {**AT_HOST, **BASIC},
            {**AT_HOST, **BASIC, "username": "bob"},
            {"DATABRICKS_USERNAME": "ada"},
            {},
            "username is bob (profile prod), not ada",
        ),
        (
            {**AT_HOST, **AZURE},
            {**AT_HOST, **AZURE, "azure_client_id": "other"},
            {"ARM_CLIENT_ID": "the-app"},
            {},
            "azure_client_id is other (profile prod), not the-app",
        ),
        (
            {**PAT, "workspace_id": "1"},
            {**PAT, "workspace_id": "2"},
            {"DATABRICKS_WORKSPACE_ID": "1"},
            {"host": HOST},
            "workspace_id is 2 (profile prod), not 1",
        ),
        (
            {**PAT, "account_id": "a-1"},
            {**PAT, "host": f"{CONSOLE}/?account_id=b-2"},
            {},
            {"host": CONSOLE},
            "account_id is b-2 (profile prod), not a-1",
        ),
        (
            {**AT_HOST, **PAT},
            {**AT_HOST, **PAT, "host": "https//other.example.com"},
            {"DATABRICKS_HOST": HOST},
            {},
            f"host is malformed (profile prod), not {HOST}",
        ),
    ],
    ids=["host", "user", "app", "workspace", "account", "no host"],
)
def test_secret_of_another_identity_that_a_stronger_layer_hides_is_refused(
    unpickled, pickled, here, hiding, arguments, difference
):
    assert SECRET in unpickled(pickled, pickled, around=hiding, **arguments).values()
    with pytest.raises(ConfigurationError, match="pickles do not carry it, and the one that is here is") as caught:
        unpickled(pickled, here, around=hiding, **arguments)
    assert caught.value.message.endswith(difference)


@pytest.mark.parametrize(
    ("profile", "override"),
    [
        ({**PAT, "host": "https://other.example.com"}, {"DATABRICKS_HOST": HOST}),
        ({**AT_HOST, **BASIC, "username": "bob"}, {"DATABRICKS_USERNAME": "ada"}),
        ({**AT_HOST, **AZURE, "azure_client_id": "other"}, {"ARM_CLIENT_ID": "the-app"}),
        ({**AT_HOST, **PAT, "workspace_id": "2"}, {"DATABRICKS_WORKSPACE_ID": "1"}),
        ({**PAT, "host": f"{CONSOLE}/?account_id=b-2"}, {"DATABRICKS_ACCOUNT_ID": "a-1"}),
    ],
    ids=["host", "user", "app", "workspace", "account"],
)
def test_child_finds_the_secret_of_a_profile_in_which_variables_override_something(
    unpickled, monkeypatch, profile, override
):
    for variable, value in override.items():
        monkeypatch.setenv(variable, value)
    assert SECRET in unpickled(profile, profile).values()


def test_workspace_of_the_default_profile_counts_too_where_the_host_was_an_argument(tmp_path, monkeypatch):
    carried = pickle.dumps(resolve(None, {}, host=HOST, **PAT, workspace_id="1"))
    path = tmp_path / "profiles"
    path.write_text(f"[DEFAULT]\nhost = {HOST}\ntoken = {SECRET}\nworkspace_id = 2\n", encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "1")
    with pytest.raises(ConfigurationError, match=r"workspace_id is 2 \(the default profile\), not 1"):
        sdk_settings(pickle.loads(carried))


@pytest.mark.parametrize(
    ("pickled", "here", "around"),
    [
        (PAT, {"host": HOST}, {"DATABRICKS_TOKEN": SECRET}),
        (PAT, {"host": "https://other.example.com"}, {"DATABRICKS_TOKEN": SECRET, "DATABRICKS_HOST": HOST}),
        (PAT, PAT, {"DATABRICKS_HOST": HOST}),
        (BASIC, {"username": "bob"}, {"DATABRICKS_PASSWORD": SECRET, "DATABRICKS_USERNAME": "ada"}),
        (AZURE, {**AZURE, **ANOTHER}, {"DATABRICKS_HOST": HOST}),
    ],
    ids=["secret", "secret and host", "host", "secret and user", "host beside a resource"],
)
def test_own_secret_is_found_between_environment_and_profile(unpickled, pickled, here, around):
    here = {"host": HOST, "auth_type": pickled["auth_type"], **here} if "host" not in around else here
    assert SECRET in unpickled({**AT_HOST, **pickled}, here, around=around).values()


def test_secret_of_another_workspace_behind_one_address_is_refused(unpickled):
    for more in ({}, {"auth_type": "oauth-m2m"}):  # the second is an error by itself
        with pytest.raises(ConfigurationError, match=r"workspace_id is 2 \(profile prod\), not 1"):
            unpickled({**PAT, "host": f"{HOST}/?o=1"}, {**PAT, "host": f"{HOST}/?o=2", **more})


def test_secret_of_another_resource_is_refused_where_azure_names_the_host(unpickled):
    with pytest.raises(ConfigurationError, match="subscriptions/another"):
        unpickled({**AZURE, **RESOURCE}, {**AZURE, **ANOTHER})
    with pytest.raises(ConfigurationError, match="not the one that Azure names"):
        unpickled({**AZURE, **RESOURCE}, {**AZURE, **AT_HOST})


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ({**PAT, "host": "https://other.example.com"}, f"host is https://other.example.com (profile prod), not {HOST}"),
        ({**PAT, **ANOTHER}, "is /subscriptions/another (profile prod), and no host is named"),
    ],
    ids=["host", "resource"],
)
def test_token_that_leads_elsewhere_is_not_said_to_be_missing_alone(unpickled, here, said):
    with pytest.raises(ConfigurationError) as caught:
        unpickled({**PAT, **AT_HOST}, here)
    assert caught.value.message.endswith(said)


@pytest.mark.parametrize(
    "here", [{}, {"host": "https://other.example.com"}, {**AZURE, "azure_client_id": "other"}], ids=["", "host", "app"]
)
def test_secret_that_is_not_here_is_only_said_to_be_missing(unpickled, here):
    with pytest.raises(ConfigurationError) as caught:
        unpickled({**PAT, **AT_HOST}, here)
    assert caught.value.message == "token of this provider is missing here: pickles do not carry it"


def test_other_app_without_a_secret_is_no_reason(unpickled):
    with pytest.raises(ConfigurationError) as caught:
        unpickled({**AT_HOST, **AZURE}, {**AT_HOST, "auth_type": "azure-client-secret", "azure_client_id": "other"})
    assert caught.value.message == "azure_client_secret of this provider is missing here: pickles do not carry it"


@pytest.mark.parametrize(
    "more", [ANOTHER, {"azure_environment": "china"}, {"cloud": "aws"}, {"account_id": "a-1"}], ids="-".join
)
def test_nothing_but_the_secret_is_taken(unpickled, more):
    assert unpickled({**AT_HOST, **AZURE}, {**AT_HOST, **AZURE, **more}) == {**APP, "azure_client_secret": SECRET}


def test_resource_of_a_profile_is_not_taken_for_a_host_that_was_an_argument(unpickled):
    assert unpickled(AZURE, {**AZURE, **ANOTHER}, host=HOST) == {**APP, "azure_client_secret": SECRET}


@pytest.mark.parametrize("at", [None, HOST], ids=["not asked yet", "asked"])
def test_resource_is_the_same_in_either_case_of_letters(unpickled, at):
    here = {**AZURE, "azure_workspace_resource_id": "/Subscriptions/ONE", "azure_client_id": "THE-APP"}
    assert unpickled({**AZURE, **RESOURCE}, here, at=at) == {**APP, **RESOURCE, "azure_client_secret": SECRET}


def test_secret_of_another_method_that_lay_about_is_not_missed(unpickled):
    lying_about = {"azure_client_secret": "dose-of-azure", "google_credentials": "dose-of-google"}
    assert unpickled({**AT_HOST, **PAT, **lying_about}, {**AT_HOST, **PAT}) == {"token": SECRET}


def test_identity_that_the_method_does_not_read_is_not_compared(unpickled):
    found = unpickled({**AT_HOST, **PAT, "username": "ada"}, {**AT_HOST, **PAT, "username": "bob", **APP})
    assert found == {"username": "ada", "token": SECRET}
