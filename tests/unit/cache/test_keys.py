"""The key ring and where it comes from."""

import base64
import os
import stat

import pytest

from lakekey.cache.keys import key_id, load_ring, parse_ring
from lakekey.errors import ConfigurationError, KeyUnavailable, UnsafeCache

KEY, OLD = bytes(range(32)), bytes([255] * 32)
TEXT, OLD_TEXT = base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(OLD).decode()


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "cache"
    path.mkdir(mode=0o700)
    return path


def parse(text):
    return parse_ring(text, source="env", where="LAKEKEY_KEY")


def test_the_first_key_is_current_and_all_of_them_open():
    ring = parse(f"# a comment\n{TEXT}  # the current one\n\n{OLD_TEXT}\n")
    assert dict(ring.keys) == {key_id(KEY): KEY, key_id(OLD): OLD}
    assert ring.current == key_id(KEY)


@pytest.mark.parametrize("text", [TEXT, TEXT.rstrip("="), OLD_TEXT, base64.b64encode(OLD).decode()])
def test_both_alphabets_with_and_without_padding_are_read(text):
    assert len(parse(text).keys) == 1


@pytest.mark.parametrize("text", ["", "# nothing", "hunter2", base64.b64encode(KEY[:16]).decode(), f"{TEXT} hunter2"])
def test_what_is_no_key_is_said_without_quoting_it(text):
    with pytest.raises(KeyUnavailable, match="LAKEKEY_KEY holds") as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)
    assert "openssl rand -base64 32" in caught.value.hint


def test_the_repr_of_a_ring_shows_ids_and_no_key():
    shown = repr(parse(f"{TEXT} {OLD_TEXT}"))
    assert key_id(KEY).hex() in shown
    assert not [secret for secret in (TEXT, OLD_TEXT, repr(KEY), KEY.hex(), OLD.hex()) if secret in shown]


def test_the_caches_own_key_file_is_made_once_for_its_owner_only(directory):
    made = load_ring(str(directory), {}, create=True)
    again = load_ring(str(directory), {}, create=True)
    assert made == again
    assert (made.source, made.where) == ("file", str(directory / "master.key"))
    assert stat.S_IMODE(os.stat(made.where).st_mode) == 0o600


def test_a_missing_key_file_is_not_made_unasked(directory):
    with pytest.raises(KeyUnavailable, match="there is no key file"):
        load_ring(str(directory), {}, create=False)
    assert list(directory.iterdir()) == []


def test_a_key_in_the_environment_is_in_force_and_no_file_is_made(directory):
    ring = load_ring(str(directory), {"LAKEKEY_KEY": TEXT}, create=True)
    assert (ring.source, ring.current) == ("env", key_id(KEY))
    assert list(directory.iterdir()) == []


def test_a_key_file_that_is_named_is_read_where_it_is(directory, tmp_path):
    path = tmp_path / "mounted"
    path.write_text(TEXT)
    path.chmod(0o600)
    ring = load_ring(str(directory), {"LAKEKEY_KEY_FILE": str(path)}, create=True)
    assert (ring.where, ring.current) == (str(path), key_id(KEY))


@pytest.mark.parametrize(
    "environ",
    [{"LAKEKEY_KEY_FILE": "/nowhere/key"}, {"LAKEKEY_KEY_SOURCE": "env"}, {"LAKEKEY_KEY": "hunter2"}],
    ids=["no file", "no variable", "no key"],
)
def test_a_source_that_was_chosen_is_never_replaced_by_another(directory, environ):
    with pytest.raises(KeyUnavailable):
        load_ring(str(directory), environ, create=True)
    assert list(directory.iterdir()) == []


def test_a_source_that_this_release_does_not_have_is_a_configuration_error(directory):
    with pytest.raises(ConfigurationError, match="'crystal-ball'"):
        load_ring(str(directory), {"LAKEKEY_KEY_SOURCE": "crystal-ball"}, create=True)


def test_a_key_file_that_others_can_read_is_refused(directory):
    path = load_ring(str(directory), {}, create=True).where
    os.chmod(path, 0o644)
    with pytest.raises(UnsafeCache) as caught:
        load_ring(str(directory), {}, create=True)
    assert caught.value.hint == f"chmod 600 {path}"
