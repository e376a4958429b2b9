"""Reading ``.databrickscfg``."""

import pytest

from lakekey.configuration import databrickscfg
from lakekey.errors import ConfigurationError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "databrickscfg"

    def write(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_a_profile_is_found_by_name_with_its_own_values(file):
    found = databrickscfg.read(file("[a]\nhost = x\n\n[b]\nhost = y\ntoken = t\n"), "b")
    assert (found.name, dict(found.values)) == ("b", {"host": "y", "token": "t"})


def test_a_named_profile_inherits_nothing_from_default(file):
    found = databrickscfg.read(file("[DEFAULT]\nclient_id = x\n\n[a]\nhost = y\n"), "a")
    assert dict(found.values) == {"host": "y"}


def test_default_serves_where_nobody_named_one(file):
    found = databrickscfg.read(file("[DEFAULT]\nhost = x\n"), None)
    assert (found.name, found.values["host"]) == (None, "x")


def test_the_files_own_default_profile_goes_before_default(file):
    text = "[__settings__]\ndefault_profile = a\n[DEFAULT]\nhost = x\n[a]\nhost = y\n"
    assert databrickscfg.read(file(text), None).values["host"] == "y"


def test_a_percent_sign_is_a_percent_sign(file):
    assert databrickscfg.read(file("[a]\nclient_secret = 50%(x)s%\n"), "a").values["client_secret"] == "50%(x)s%"


def test_no_file_is_no_profile_unless_one_was_named(tmp_path):
    missing = str(tmp_path / "none")
    assert databrickscfg.read(missing, None) is None
    with pytest.raises(ConfigurationError, match="there is no file") as caught:
        databrickscfg.read(missing, "prod")
    assert missing in str(caught.value)
    assert (caught.value.profile, caught.value.hint) == ("prod", "lakekey login prod --host https://…")


@pytest.mark.parametrize("wanted", ["c", "__settings__", "DEFAULT"])
def test_a_profile_that_is_not_there_is_said_by_name(file, wanted):
    with pytest.raises(ConfigurationError, match="has no profile of that name") as caught:
        databrickscfg.read(file("[__settings__]\ndefault_profile = a\n[a]\nhost = x\n"), wanted)
    assert caught.value.profile == wanted


@pytest.mark.parametrize(
    ("text", "line"),
    [("host = x\n", 1), ("[a]\nhost = x\ndose-secret\n", 3), ("[a]\n[a]\n", 2), ("[a]\nclient_secret=1\nclient_secret=dose-secret\n", 3)],
    ids=["no section", "no value", "twice", "key twice"],
)  # fmt: skip
def test_a_malformed_file_is_said_by_line_without_quoting_it(file, text, line):
    with pytest.raises(ConfigurationError, match=f"malformed at line {line}") as caught:
        databrickscfg.read(file(text), "a")
    assert "dose-secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_several_default_sections_are_one_as_to_the_sdk(file):
    text = "[DEFAULT]\nhost = x\n[a]\nhost = z\n[DEFAULT]\nclient_id = y\n"
    assert dict(databrickscfg.read(file(text), None).values) == {"host": "x", "client_id": "y"}
    assert dict(databrickscfg.read(file(text), "a").values) == {"host": "z"}


@pytest.mark.parametrize("text", ["[DEFAULT]\nhost = x\n[DEFAULT]\nhost = y\n", "[DEFAULT]\n[DEFAULT]\n[a]\n[a]\n"])
def test_default_sections_that_contradict_each_other_are_malformed(file, text):
    with pytest.raises(ConfigurationError, match="malformed"):
        databrickscfg.read(file(text), None)


def test_mistyped_profile_is_answered_with_the_near_one(file):
    with pytest.raises(ConfigurationError) as caught:
        databrickscfg.read(file("[prod]\nhost = x\n[dev]\nhost = y\n"), "prd")
    assert caught.value.hint == "did you mean prod? See those it has: lakekey profiles"


def test_a_file_that_is_no_text_is_said_to_be_none(file):
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        databrickscfg.read(file(b"[a]\nhost = \xff\xfe\n"), "a")


def test_profiles_are_in_the_files_order_without_its_settings(file):
    found, default = databrickscfg.profiles(file("[b]\n[__settings__]\n[DEFAULT]\n[a]\nhost = x\n"))
    assert [profile.name for profile in found] == ["b", "DEFAULT", "a"]
    assert found[2].values == {"host": "x"}  # each with its own keys alone
    assert default == "DEFAULT"


def test_the_files_own_default_is_told_with_its_profiles(file):
    assert databrickscfg.profiles(file("[__settings__]\ndefault_profile = a\n[DEFAULT]\n[a]\n"))[1] == "a"
    assert databrickscfg.profiles("/nowhere/cfg") == ([], None)


def test_the_repr_of_a_profile_shows_no_value(file):
    found = databrickscfg.read(file("[a]\nclient_secret = dose-secret\n"), "a")
    assert "dose-secret" not in repr(found)
