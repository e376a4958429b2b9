"""The operating system's keyring: which backends count, what its items hold, and how it may fail."""

import sys
import threading
from types import SimpleNamespace

import pytest

from lakekey.cache.keys import keyring
from lakekey.cache.keys.keyring import KeyringItem, KeyringTrouble, find, items, within
from lakekey.errors import ConfigurationError, KeyUnavailable

SERVICE_NAME = "keyring.backends.SecretService:Keyring"
WINDOWS = "keyring.backends.Windows:WinVaultKeyring"


class Refusal(Exception):
    """As pywin32's ``error``, which is not an ``OSError``."""

    def __init__(self, winerror):
        super().__init__(winerror, "CredRead", "the words of Windows")
        self.winerror = winerror


class Item(SimpleNamespace):
    """An item of the Secret Service.

    Attributes:
        name: Its name.
        text: What it holds.
        locked: Whether it is.
        dismissed: Whether the person dismisses what would unlock it.
    """

    name, text, locked, dismissed = "x", "its text", False, False

    def is_locked(self):
        return self.locked

    def unlock(self):
        return self.dismissed

    def get_secret(self):
        return self.text.encode()

    def get_attributes(self):
        return {"username": self.name} if self.name is not None else {}


class SecretService(Item):
    """The Secret Service, as its library shows it: with its items, and whether it was left.

    Attributes:
        items: Its items.
        closed: Whether the connection to it was closed.
        sought: What was searched for.
    """

    closed = False

    def __init__(self, *found, **how):
        super().__init__(items=found, sought=[], **how)

    def close(self):
        self.closed = True

    def search_items(self, attributes):
        self.sought.append(attributes)
        return iter(self.items)


@pytest.fixture
def secret_service(library):
    """Put a Secret Service there."""

    def put(service):
        library("secretstorage", dbus_init=lambda: service, get_default_collection=lambda _: service)
        return service

    return put


@pytest.fixture
def library(monkeypatch):
    """Put a module in the place of a library."""

    def put(name, **contents):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**contents))

    return put


@pytest.fixture
def backend(monkeypatch):
    """A backend that keeps passwords, in the place of any."""
    kept = {}

    class Backend:
        def get_password(self, service, item):
            return kept.get((service, item))

        def set_password(self, service, item, text):
            kept[service, item] = text

        def delete_password(self, service, item):
            del kept[service, item]

    monkeypatch.setattr(keyring, "_load", lambda name: Backend())
    return kept


def asked(error, cause=None):
    def call():
        raise error from cause

    with pytest.raises(KeyringTrouble) as caught:
        within(10, call)
    return caught.value.kind, str(caught.value)


def refusal(item):
    with pytest.raises(KeyUnavailable) as caught:
        item.read()
    return caught.value.message, caught.value.hint


def test_account_without_a_logon_session_has_no_keyring():
    absent = ("absent", "the OS keyring is not there in this session")
    assert asked(Refusal(1312)) == absent
    assert asked(RuntimeError("asked"), Refusal(1312)) == absent


def test_any_other_refusal_is_a_failure_whose_text_is_not_passed_on():
    assert asked(Refusal(5)) == ("broken", "the OS keyring failed (Refusal)")


@pytest.mark.parametrize("name", ["KeyringLocked", "LockedException", "PromptDismissedException"])
def test_lock_of_the_keyring_is_told_by_the_name_of_its_error(name):
    error = type(name, (Exception,), {})
    assert asked(error()) == asked(RuntimeError(), error()) == ("locked", "the OS keyring is locked")


@pytest.mark.parametrize("name", ["InitError", "NoKeyringError", "SecretServiceNotAvailableException"])
def test_absence_of_the_keyring_is_told_by_the_name_of_its_error(name):
    assert asked(type(name, (Exception,), {})())[0] == "absent"
    assert asked(ModuleNotFoundError())[0] == "absent"


def test_trouble_that_a_call_found_itself_is_passed_on():
    trouble = KeyringTrouble("locked", "it says so")
    assert asked(trouble) == ("locked", "it says so")
    assert within(10, lambda: "its answer") == "its answer"


def test_keyring_that_does_not_answer_is_given_up():
    over = threading.Event()
    try:
        with pytest.raises(KeyringTrouble) as caught:
            within(0.01, over.wait)
    finally:
        over.set()
    assert (caught.value.kind, str(caught.value)) == ("hanging", "the OS keyring did not answer within 0.01 s")


def test_answer_that_takes_its_time_is_waited_for(monkeypatch):
    is_waited_for = threading.Event()

    def join(thread, limit):
        is_waited_for.set()
        thread.join(limit)

    monkeypatch.setattr(keyring, "join", join)
    assert within(30, lambda: is_waited_for.wait(30) and "its answer") == "its answer"


def test_call_is_made_in_a_thread_that_keeps_no_program_alive():
    thread = within(10, threading.current_thread)
    assert thread.daemon
    assert thread.name == "lakekey-keyring"


def test_call_is_made_here_where_no_thread_starts_any_more(monkeypatch):
    def start(_):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert within(10, threading.get_ident) == threading.get_ident()


def test_item_is_written_read_and_erased_by_its_name(backend):
    item = KeyringItem(WINDOWS, "cache a", {})
    assert item.where == "Windows Credential Manager, item lakekey/cache a"
    assert item.read() is None
    item.write("a ring")
    assert backend == {("lakekey", "cache a"): "a ring"}
    assert item.read() == "a ring"
    item.erase()
    assert backend == {}
    assert item.lost().message == (
        "the OS keyring no longer has the key of this cache (Windows Credential Manager, item lakekey/cache a)"
    )


@pytest.mark.parametrize("name", [WINDOWS, "keyring.backends.kwallet:DBusKeyring"])
def test_backend_that_gives_bytes_is_an_error_that_names_it(backend, name):
    backend["lakekey", "cache a"] = b"dose-of-a-ring"
    message, hint = refusal(KeyringItem(name, "cache a", {}))
    kind = "Windows Credential Manager" if name == WINDOWS else "KWallet"
    assert message == f"the key of this cache is in the keyring ({kind}), and it gave bytes where a text is due"
    assert "python -m keyring diagnose" in hint


def test_backend_that_is_not_the_operating_systems_is_refused():
    with pytest.raises(
        KeyUnavailable, match=r"'keyring.backends.null:Keyring' is not a keyring of an operating system"
    ):
        KeyringItem("keyring.backends.null:Keyring", "x", {})


def test_limit_is_ten_seconds_unless_the_environment_says_another(monkeypatch, backend):
    limits = []
    monkeypatch.setattr(keyring, "within", lambda limit, call: limits.append(limit))
    KeyringItem(WINDOWS, "x", {}).read()
    KeyringItem(WINDOWS, "x", {"LAKEKEY_KEYRING_TIMEOUT": "3"}).read()
    assert limits == [10.0, 3.0]
    with pytest.raises(ConfigurationError, match="LAKEKEY_KEYRING_TIMEOUT"):
        KeyringItem(WINDOWS, "x", {"LAKEKEY_KEYRING_TIMEOUT": "soon"})


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("absent", "start the keyring of the desktop session"),
        ("locked", "unlock the keyring"),
        ("hanging", "LAKEKEY_KEYRING_TIMEOUT"),
        ("broken", "python -m keyring diagnose"),
    ],
)
def test_trouble_of_an_item_has_its_next_step(monkeypatch, kind, step):
    def load(name):
        raise KeyringTrouble(kind, "it says so")

    monkeypatch.setattr(keyring, "_load", load)
    message, hint = refusal(KeyringItem(WINDOWS, "x", {}))
    assert message == "the key of this cache is in the keyring (Windows Credential Manager), and it says so"
    assert step in hint


@pytest.mark.parametrize(
    ("name", "step"),
    [
        (SERVICE_NAME, "gnome-keyring-daemon --unlock"),
        ("keyring.backends.kwallet:DBusKeyring", "KWalletManager"),
        ("keyring.backends.macOS:Keyring", "security unlock-keychain"),
        (WINDOWS, "sign in to Windows"),
    ],
)
def test_locked_keyring_is_unlocked_in_its_own_way(monkeypatch, name, step):
    def within(limit, call):
        raise KeyringTrouble("locked", "it says so")

    monkeypatch.setattr(keyring, "within", within)
    _, hint = refusal(KeyringItem(name, "x", {}))
    assert step in hint
    assert ("gnome-keyring" in hint) == (name == SERVICE_NAME)


def test_item_of_the_secret_service_is_read_by_its_own_library(secret_service, monkeypatch):
    service = secret_service(SecretService(Item(text="a ring"), Item(text="another")))
    assert KeyringItem(SERVICE_NAME, "cache a", {}).read() == "a ring"
    assert service.sought == [{"service": "lakekey", "username": "cache a"}]
    assert service.closed


@pytest.mark.parametrize("service", [SecretService(), None])
def test_what_the_library_does_not_find_the_backend_is_asked_for(secret_service, monkeypatch, backend, service):
    if service is None:
        monkeypatch.setitem(sys.modules, "secretstorage", None)
    else:
        secret_service(service)
    backend["lakekey", "cache a"] = "a ring"
    assert KeyringItem(SERVICE_NAME, "cache a", {}).read() == "a ring"


def test_lock_is_undone_unless_the_person_dismisses_that(secret_service):
    item = KeyringItem(SERVICE_NAME, "x", {})
    secret_service(SecretService(Item(text="a ring", locked=True), locked=True))
    assert item.read() == "a ring"
    for locked in (
        SecretService(Item(), locked=True, dismissed=True),
        SecretService(Item(locked=True, dismissed=True)),
    ):
        secret_service(locked)
        assert refusal(item)[0].endswith("and the OS keyring is locked")
        assert locked.closed
    secret_service(SecretService(Item(text="a ring", dismissed=True), dismissed=True))
    assert item.read() == "a ring"


def test_items_of_ours_are_listed_by_their_names(secret_service):
    service = secret_service(SecretService(Item(name="a"), Item(name=""), Item(name=None), Item(name="b")))
    assert items({}) == [(SERVICE_NAME, "a"), (SERVICE_NAME, "b")]
    assert service.sought == [{"service": "lakekey"}]
    assert service.closed


def test_no_items_are_listed_where_the_service_cannot_be_asked(secret_service, monkeypatch):
    def locked(_):
        raise type("LockedException", (Exception,), {})

    service = secret_service(SecretService())
    monkeypatch.setattr(service, "search_items", locked, raising=False)
    assert items({}) == []
    assert service.closed
    secret_service(SecretService(Item(name="a")))
    assert items({"LAKEKEY_KEYRING_TIMEOUT": "soon"}) == []


class Chosen:
    """A keyring that the library has chosen: of one backend, or of several."""


Chosen.__module__, Chosen.__qualname__ = "keyring.backends.kwallet", "DBusKeyring"


def test_keyring_of_this_machine_is_the_first_that_the_operating_system_protects(library):
    plain, chosen = SimpleNamespace(), Chosen()
    for found in (chosen, SimpleNamespace(backends=[plain, chosen])):
        library("keyring", get_keyring=lambda found=found: found)
        assert find({}) == "keyring.backends.kwallet:DBusKeyring"
    for found in (plain, SimpleNamespace(backends=[])):
        library("keyring", get_keyring=lambda found=found: found)
        with pytest.raises(KeyringTrouble, match="no OS keyring answers in this session") as caught:
            find({})
        assert caught.value.kind == "absent"


def test_backend_is_loaded_by_its_name_alone(library):
    library("made_up_backend", Keyring=lambda: "it")
    assert keyring._load("made_up_backend:Keyring") == "it"
