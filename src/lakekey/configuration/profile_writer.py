"""Writing profiles: one section of ``.databrickscfg`` changes, and the rest of the file stays as it was.

Each function here replaces the file atomically (mode 0600) and keeps the text before in ``<file>.bak``, without the
secrets that the change takes out of the file: what is removed must not live on in a copy. A link is followed: the file
that it leads to is replaced, and the link stays. Writers take turns by a lock beside the file. The result is parsed
before it is written, and must say what was wanted and, of every other section, what it said before.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping

from lakekey._commands import look_at, quoted
from lakekey._imports import libraries
from lakekey.cache import durable_files, private_files
from lakekey.configuration import databrickscfg, profile_parser, profile_text
from lakekey.configuration.databrickscfg import SETTINGS_SECTION
from lakekey.configuration.settings import SETTINGS
from lakekey.errors import ConfigurationError

_PATIENCE = 10.0  # seconds to wait for another writer, whose turn takes milliseconds
_ATTEMPTS = 5  # against programs that write the file without our lock
_KEY = re.compile(r"[a-z][a-z0-9_-]*")
_POSIX = os.name == "posix"

# What a file says: section, key, value.
_Sections = dict[str, dict[str, str]]


def write_profile(
    path: str | None,
    name: str,
    values: Mapping[str, str | None],
    *,
    replace: bool,
    default: bool = False,
    patience: float = _PATIENCE,
) -> str | None:
    """Add a profile, or change settings of the one that is there.

    Args:
        path: The file; ``None`` for ``~/.databrickscfg``.
        name: The profile.
        values: Setting to value. A setting that is not named here stays as it is; ``None`` removes one.
        replace: Whether a profile of that name may be there.
        default: Whether it becomes the default one, by the same write: the copy is of the file before both.
        patience: Seconds to wait for another writer.

    Returns:
        The copy of the file as it was before, or ``None`` if there was no file or nothing to change.

    Raises:
        ConfigurationError: There is such a profile and ``replace`` is not set, or the file cannot be changed.
    """
    _check_name(name)
    for key, value in values.items():
        _check_setting(name, key, value)
    kept = {key: value.strip() for key, value in values.items() if value is not None}

    def edit(text: str, before: _Sections) -> tuple[str, _Sections]:
        if name in before and not replace:
            raise ConfigurationError(
                "a profile of that name already exists",
                hint="choose another name, or change that profile: add --replace",
                profile=name,
            )
        changed = {key: value for key, value in before.get(name, {}).items() if key not in values}
        text, after = profile_text.with_values(text, name, {**values, **kept}), {**before, name: {**changed, **kept}}
        return (profile_text.with_default(text, name), _with_default(after, name)) if default else (text, after)

    return _change(path, name, edit, patience)


def check_can_write(path: str | None, name: str) -> None:
    """Look whether a new profile could be written, without writing.

    Args:
        path: The file; ``None`` for ``~/.databrickscfg``.
        name: The profile.

    Raises:
        ConfigurationError: The name cannot be one, or the file cannot be changed.
    """
    _check_name(name)
    shown = databrickscfg.location(path)
    _check_no_pipe(shown, name)
    real = os.path.realpath(shown)
    _check_file(real, name)
    directory = os.path.dirname(real)
    if _POSIX and not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{directory} cannot be written to", hint=look_at(directory), profile=name)


def remove_profile(path: str | None, name: str) -> str | None:
    """Remove a profile; if it was the default one, there is then none.

    Args:
        path: The file; ``None`` for ``~/.databrickscfg``.
        name: The profile.

    Returns:
        The copy of the file as it was before.

    Raises:
        ConfigurationError: There is no such profile, or the file cannot be changed.
    """

    def edit(text: str, before: _Sections) -> tuple[str, _Sections]:
        _check_known(path, name, before)
        text = profile_text.without_section(text, name)
        after = {section: values for section, values in before.items() if section != name}
        if before.get(SETTINGS_SECTION, {}).get("default_profile") == name:
            text, after = profile_text.without_default(text), _with_default(after, None)
        return text, after

    return _change(path, name, edit)


def rename_profile(path: str | None, old: str, new: str) -> str | None:
    """Give a profile another name, also where it is the default one.

    Args:
        path: The file; ``None`` for ``~/.databrickscfg``.
        old: The profile.
        new: Its new name.

    Returns:
        The copy of the file as it was before, or ``None`` if the names are the same.

    Raises:
        ConfigurationError: There is no such profile, the new name is taken, or the file cannot be changed.
    """
    _check_name(new)

    def edit(text: str, before: _Sections) -> tuple[str, _Sections]:
        _check_known(path, old, before)
        if new in before and new != old:
            raise ConfigurationError("a profile of that name already exists", hint="choose another name", profile=new)
        text = profile_text.with_new_name(text, old, new)
        after = {new if section == old else section: values for section, values in before.items()}
        if before.get(SETTINGS_SECTION, {}).get("default_profile") == old:
            text, after = profile_text.with_default(text, new), _with_default(after, new)
        return text, after

    return _change(path, old, edit)


def set_default_profile(path: str | None, name: str | None) -> str | None:
    """Choose the profile that is taken where none is named: ``[__settings__] default_profile``.

    Args:
        path: The file; ``None`` for ``~/.databrickscfg``.
        name: The profile; ``None`` for none.

    Returns:
        The copy of the file as it was before, or ``None`` if it was the default one already.

    Raises:
        ConfigurationError: There is no such profile, or the file cannot be changed.
    """

    def edit(text: str, before: _Sections) -> tuple[str, _Sections]:
        if name is None:
            return profile_text.without_default(text), _with_default(before, None)
        _check_known(path, name, before)
        return profile_text.with_default(text, name), _with_default(before, name)

    return _change(path, name, edit)


def _with_default(sections: _Sections, name: str | None) -> _Sections:
    if name is None and SETTINGS_SECTION not in sections:
        return sections
    own = {key: value for key, value in sections.get(SETTINGS_SECTION, {}).items() if key != "default_profile"}
    return {**sections, SETTINGS_SECTION: own if name is None else {**own, "default_profile": name}}


def _change(
    path: str | None,
    name: str | None,
    edit: Callable[[str, _Sections], tuple[str, _Sections]],
    patience: float = _PATIENCE,
) -> str | None:
    shown = databrickscfg.location(path)
    _check_no_pipe(shown, name)
    real = os.path.realpath(shown)
    with libraries():
        import filelock

    trouble = "it is written by another program again and again"
    try:
        _check_file(real, name)
        with filelock.FileLock(f"{real}.lock", timeout=patience, mode=0o600, thread_local=False):
            for _ in range(_ATTEMPTS):
                read = _read(real)
                content = read or b""
                text = databrickscfg.decode(content, shown, name)
                before = profile_parser.sections(databrickscfg.normalized(text), shown, name)
                changed, wanted = edit(text, before)
                if changed == text:
                    return None
                if profile_parser.sections(databrickscfg.normalized(changed), shown, name) != wanted:
                    trouble = "more than that profile would change"
                    break
                backup = f"{real}.bak" if read is not None else None
                if backup:
                    durable_files.replace(backup, _copy(content, text, before, wanted))
                if _read(real) == read:  # another program, which knows nothing of our lock, has not written meanwhile
                    durable_files.replace(real, changed.encode())
                    return backup
    except filelock.Timeout:
        raise ConfigurationError(
            f"another process is changing {shown}", hint="try again in a moment", profile=name
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        hint = private_files.remedy(real, error)
        if _POSIX and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = f"ls -ld {quoted(os.path.dirname(real))} {quoted(real)}"
        raise ConfigurationError(f"{shown} cannot be written: {reason}", hint=hint, profile=name) from None
    raise ConfigurationError(f"{shown} cannot be changed safely: {trouble}", hint=f"edit {shown} by hand", profile=name)


def _copy(content: bytes, text: str, before: _Sections, after: _Sections) -> bytes:
    """What is kept of the file: all of it, but for the secrets that it no longer holds after the change."""
    secrets = {name for name, setting in SETTINGS.items() if setting.secret}
    kept = {value for values in after.values() for key, value in values.items() if key in secrets}
    copy = text
    for section, values in before.items():
        lost = {key: None for key, value in values.items() if key in secrets and value not in kept}
        if lost:
            copy = profile_text.with_values(copy, section, lost)
    return content if copy == text else copy.encode()


def _read(path: str) -> bytes | None:
    """The content. Times would not do to tell whether it is another one: some file systems count in two seconds."""
    try:
        with os.fdopen(databrickscfg.open_to_read(path), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _check_no_pipe(path: str, name: str | None) -> None:
    """Asked of the path as it is given: what `/dev/fd/63` of a shell's `<(…)` leads to has no name of its own."""
    try:
        is_pipe = stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return  # there is none, or it is reported where it is opened
    if is_pipe:
        hint = "give a file: --config-file FILE, or DATABRICKS_CONFIG_FILE"
        raise ConfigurationError(f"{path} is a pipe, which cannot be changed", hint=hint, profile=name)


def _check_file(path: str, name: str | None) -> None:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):  # the lock's library would make it, open to others
        hint = f"mkdir -m 700 -p {quoted(directory)}" if _POSIX else f"mkdir {quoted(directory)}"
        raise ConfigurationError(f"there is no directory {directory}", hint=hint, profile=name)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"{path} is not a regular file", hint=look_at(path), profile=name)
    if _POSIX and status.st_uid != os.geteuid():
        # Replaced by us it would be ours, and its owner could not read it any more.
        raise ConfigurationError(
            f"{path} belongs to user {status.st_uid}",
            hint=f"run this as that user: ls -ln {quoted(path)}",
            profile=name,
        )


def _check_known(path: str | None, name: str, sections: _Sections) -> None:
    if name not in sections or name == SETTINGS_SECTION:
        raise databrickscfg.no_such_profile(databrickscfg.location(path), name, sections)


def _check_name(name: str) -> None:
    if not name or name != name.strip() or not name.isprintable() or set(name) & set("[]") or name == SETTINGS_SECTION:
        raise ConfigurationError(f"{name!r} cannot be the name of a profile", hint="choose another name")


def _check_setting(profile: str, key: str, value: str | None) -> None:
    if not _KEY.fullmatch(key):
        raise ConfigurationError(f"{key!r} cannot be a setting of a profile",
                                 hint="see docs/reference/configuration.md", profile=profile)  # fmt: skip
    if value is not None and (not value.strip() or not value.strip().isprintable()):
        # The value is not quoted: it may be a secret.
        raise ConfigurationError(f"{key} is empty or holds a line break", hint=f"give {key} a value of one line",
                                 profile=profile)  # fmt: skip
