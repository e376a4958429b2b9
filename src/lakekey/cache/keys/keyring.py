"""A key ring in the operating system's keyring, through the `keyring` library: one small item, never a token.

Only keyrings that the operating system itself protects count: Secret Service, KWallet, the macOS Keychain, the
Windows Credential Manager. The library's other backends (null, fail, plain-text files) would be a silent downgrade.

A keyring may wait for a person who never comes, or for a daemon that hangs. Every call is therefore made in a thread
that is given up after a time limit; the thread is a daemon and keeps no program alive.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from lakekey._imports import LOADING, libraries
from lakekey.cache.keys.joining import join, time_limit
from lakekey.errors import ConfigurationError, KeyUnavailable

SERVICE = "lakekey"
LIMIT_VARIABLE = "LAKEKEY_KEYRING_TIMEOUT"
_LIMIT = 10.0
_SECRET_SERVICE = "keyring.backends.SecretService:Keyring"
_BACKENDS = {
    _SECRET_SERVICE: "Secret Service",
    "keyring.backends.libsecret:Keyring": "Secret Service",
    "keyring.backends.kwallet:DBusKeyring": "KWallet",
    "keyring.backends.kwallet:DBusKeyringKWallet4": "KWallet",
    "keyring.backends.macOS:Keyring": "macOS Keychain",
    "keyring.backends.Windows:WinVaultKeyring": "Windows Credential Manager",
}
_NO_LOGON_SESSION = 1312  # what Windows says to a service, or a task that runs without a person's password
T = TypeVar("T")


class KeyringTrouble(Exception):
    """The keyring cannot be used.

    Attributes:
        kind: ``absent``, ``locked``, ``hanging`` or ``broken``.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class KeyringItem:
    """The ring in an item of the OS keyring.

    Args:
        backend: The backend, as ``module:class``.
        item: The item's name.
        environ: The environment, for the time limit.
    """

    name = "keyring"

    def __init__(self, backend: str, item: str, environ: Mapping[str, str]) -> None:
        if backend not in _BACKENDS:
            raise KeyUnavailable(
                f"{backend!r} is not a keyring of an operating system",
                hint="start over with another LAKEKEY_CACHE_DIR",
            )
        self._backend = backend
        self._item = item
        self._limit = time_limit(environ, LIMIT_VARIABLE, _LIMIT)
        self.where = f"{_BACKENDS[backend]}, item {SERVICE}/{item}"

    def read(self) -> str | None:
        """See `KeySource.read`."""
        text: str | None = None
        if self._backend == _SECRET_SERVICE:
            text = self._within_limit(lambda: _from_secret_service(self._item))
        return text or self._call(lambda keyring: _as_text(keyring.get_password(SERVICE, self._item)))

    def write(self, text: str) -> None:
        """See `KeySource.write`."""
        self._call(lambda keyring: keyring.set_password(SERVICE, self._item, text))

    def erase(self) -> None:
        """See `KeySource.erase`."""
        self._call(lambda keyring: keyring.delete_password(SERVICE, self._item))

    def lost(self) -> KeyUnavailable:
        """See `KeySource.lost`."""
        return KeyUnavailable(
            f"the OS keyring no longer has the key of this cache ({self.where})",
            hint="restore that keyring, or start over with another LAKEKEY_CACHE_DIR and sign in again",
        )

    def _call(self, call: Callable[[Any], T]) -> T:
        return self._within_limit(lambda: call(_load(self._backend)))

    def _within_limit(self, call: Callable[[], T]) -> T:
        try:
            return within(self._limit, call)
        except KeyringTrouble as trouble:
            raise KeyUnavailable(
                f"the key of this cache is in the keyring ({_BACKENDS[self._backend]}), and {trouble}",
                hint=_UNLOCK[_BACKENDS[self._backend]] if trouble.kind == "locked" else _HINTS[trouble.kind],
            ) from trouble


_UNLOCK = {
    "Secret Service": "unlock the keyring (sign in to the desktop, or: gnome-keyring-daemon --unlock), then try again",
    "KWallet": "unlock the wallet (sign in to the desktop, or open it in KWalletManager), then try again",
    "macOS Keychain": "unlock the keychain (security unlock-keychain), then try again",
    "Windows Credential Manager": "unlock the keyring (sign in to Windows as this user), then try again",
}
_HINTS = {
    "absent": "start the keyring of the desktop session, or use another LAKEKEY_CACHE_DIR on this machine",
    "hanging": f"answer or restart the keyring, or wait longer with {LIMIT_VARIABLE} (seconds)",
    "broken": "try it by hand with: python -m keyring diagnose",
}


def find(environ: Mapping[str, str]) -> str:
    """Find the keyring of this machine and session, as the `keyring` library is configured to.

    Returns:
        Its backend, as ``module:class``.

    Raises:
        KeyringTrouble: There is none, or it does not answer.
    """

    def look() -> list[str]:
        with libraries():
            import keyring

        chosen = keyring.get_keyring()
        # The chainer stands for several backends, best first; its fallbacks are not for us.
        several = getattr(chosen, "backends", None) or [chosen]
        return [f"{type(one).__module__}:{type(one).__qualname__}" for one in several]

    found = within(time_limit(environ, LIMIT_VARIABLE, _LIMIT), look)
    usable = [name for name in found if name in _BACKENDS]
    if not usable:
        raise KeyringTrouble("absent", "no OS keyring answers in this session")
    return usable[0]


def items(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The items of ours in the Secret Service, as backend and name; none where it cannot be asked, or is locked."""

    def look() -> list[str]:
        with libraries():
            import secretstorage

        connection = secretstorage.dbus_init()
        try:
            found = secretstorage.get_default_collection(connection).search_items({"service": SERVICE})
            return [str(item.get_attributes().get("username", "")) for item in found]
        finally:
            connection.close()

    try:
        return [(_SECRET_SERVICE, name) for name in within(time_limit(environ, LIMIT_VARIABLE, _LIMIT), look) if name]
    except (KeyringTrouble, ConfigurationError):
        return []


def within(limit: float, call: Callable[[], T]) -> T:
    """Call a keyring, but do not wait for it longer than the limit.

    Raises:
        KeyringTrouble: It failed, or did not answer in time.
    """
    with LOADING:
        import contextvars
        import threading

    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - told apart below, in the caller's thread
            errors.append(error)

    # In this context: code that runs in there, such as a finalizer, is a part of what waits for it.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name="lakekey-keyring", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter is exiting and may start no more threads (3.12.0 and 3.12.1)
        run()
    else:
        join(thread, limit)
    if results:
        return results[0]
    if not errors:
        raise KeyringTrouble("hanging", f"the OS keyring did not answer within {limit:g} s")
    error = errors[0]
    if isinstance(error, KeyringTrouble):
        raise error
    both = (error, error.__cause__)
    kinds = {kind.__name__ for one in both for kind in type(one).__mro__}
    if kinds & {"KeyringLocked", "LockedException", "PromptDismissedException"}:
        raise KeyringTrouble("locked", "the OS keyring is locked")
    absent = {"InitError", "NoKeyringError", "SecretServiceNotAvailableException", "ModuleNotFoundError"}
    if kinds & absent or any(getattr(one, "winerror", None) == _NO_LOGON_SESSION for one in both):
        raise KeyringTrouble("absent", "the OS keyring is not there in this session")
    # The text of a foreign exception is not passed on: backends quote what they were given.
    raise KeyringTrouble("broken", f"the OS keyring failed ({type(error).__name__})")


def _load(backend: str) -> Any:
    # Not keyring.get_keyring(): that looks for every backend there is, ten times the cost of a bare interpreter.
    module, _, name = backend.partition(":")
    with libraries():
        loaded = import_module(module)
    return getattr(loaded, name)()


def _as_text(found: object) -> str | None:
    """What a backend gave, which nothing holds to the type that it declares."""
    if found is None or isinstance(found, str):
        return found
    raise KeyringTrouble("broken", f"it gave {type(found).__name__} where a text is due")


def _from_secret_service(item: str) -> str | None:
    """What that backend's `get_password` does, by the library that it stands on.

    A new process on a warm cache does this and little else; the `keyring` package alone, which is two imports above,
    would cost it as much as all the rest together. Where this finds nothing, the backend is asked.
    """
    try:
        with libraries():
            import secretstorage
    except ImportError:
        return None
    connection = secretstorage.dbus_init()
    try:
        collection = secretstorage.get_default_collection(connection)
        if collection.is_locked() and collection.unlock():
            raise KeyringTrouble("locked", "the OS keyring is locked")
        for found in collection.search_items({"service": SERVICE, "username": item}):
            if found.is_locked() and found.unlock():
                raise KeyringTrouble("locked", "the OS keyring is locked")
            text: str = found.get_secret().decode()
            return text
    finally:
        connection.close()
    return None
