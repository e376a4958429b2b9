"""What is imported late is imported whole, or not at all, when the process forks.

Python locks each module while it is imported, and a forked child has these locks but not the threads that would
release them: a child that needs the module waits for ever. So late imports hold `LOADING`, and a fork waits for it.
Nothing but imports may happen under it: a thread that waits for another lock there could wait for the forking thread.

`logging` has such a lock, which it takes before a fork as well, and most libraries ask it for a logger as they are
imported. Python asks in the reverse order of registration, so a fork must have registered ours after `logging`'s:
see `libraries`.
"""

import _imp
import os
import sys
from _thread import RLock, get_ident

TYPE_CHECKING = False  # as `typing` has it, which `import lakekey` does without
if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from types import CodeType, FrameType, ModuleType

LOADING = RLock()  # not `threading`'s, which would be one more module for a warm start
_after_logging = False
_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
_LOOKUPS_OF_LOCKS = ("_get_module_lock", "cb")  # under the lock of all imports
_ENDS_OF_THREADS = ("_stop", "_set_tstate_lock", "_maintain_shutdown_locks", "_shutdown")


def libraries() -> RLock:
    """The same lock, for imports that may ask `logging` for a logger."""
    global _after_logging  # noqa: PLW0603 - once in the life of a process
    if not _after_logging:
        with LOADING:
            import logging  # noqa: F401 - it registers its lock

            _hold_back_forks()
            _after_logging = True
    return LOADING


def commands() -> "ModuleType":
    """`lakekey._commands`, by which a hint names commands: for an error only, and so not on the warm path."""
    with LOADING:
        from lakekey import _commands

    return _commands


def expanded(path: str) -> str:
    """A path whose ``~`` is the home directory; on Windows, `os.path.expanduser` asks variables alone for that."""
    found = os.path.expanduser(path)
    if sys.platform == "win32" and found.replace("\\", "/").partition("/")[0] == "~":
        with LOADING:
            from lakekey._windows_home import home

        return home() + path[1:]
    return found


def _hold_back_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=LOADING.acquire, after_in_parent=LOADING.release, after_in_child=LOADING.release)


_hold_back_forks()


def amid_import() -> bool:
    """Whether the calling code has interrupted a late import of its own thread, as a signal handler may."""
    return _owned(LOADING)


def holds_a_lock() -> bool:
    """Whether the calling thread has one of the locks that any other thread may need to go on.

    A signal handler, or a finalizer that the garbage collector runs, has what the code beneath it has: `LOADING` in the
    midst of a late import, `logging`'s in ``dictConfig``, `threading`'s while a thread starts. A thread that is not
    quite started yet counts as well: the one that starts it, which may be the one that works, waits for that.
    """
    others = (("logging", "_lock"), ("threading", "_active_limbo_lock"))
    locks = [getattr(sys.modules.get(module), name, None) for module, name in others]
    return amid_import() or any(map(_owned, locks)) or _is_being_started()


def _is_being_started() -> bool:
    """Whether the calling thread is one of `threading`'s that is not quite started yet, or about to end."""
    threading = sys.modules.get("threading")
    # What asks for the current thread too early, such as a log record, is given a dummy.
    if threading is None or type(threading._active.get(get_ident())) not in (type(None), threading._DummyThread):  # noqa: SLF001
        return False
    frame: FrameType = sys._getframe()  # noqa: SLF001 - the only way to tell it from a thread that C has started
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code is threading.Thread._bootstrap.__code__  # noqa: SLF001


def _owned(lock: object) -> bool:
    is_owned = getattr(lock, "_is_owned", None)  # which every lock has that its owner may take again
    return is_owned is not None and bool(is_owned())


def importing(roots: "Container[str]") -> bool:
    """Whether the calling thread is in the midst of importing one of these packages, or late modules of ours.

    Another thread that needs the module waits until the import is done, and so until the calling code has returned.
    """
    return any(
        code.co_name == "_find_and_load" and code.co_filename == _IMPORT_SYSTEM and _root_of(frame) in roots
        for code, frame in _frames_beneath()
    )


def amid_locked_step() -> bool:
    """Whether the calling code has interrupted a step of Python's that each import, or each thread, has to wait for.

    Its lock does not tell whose it is: the frames beneath do. Until Python 3.12, the end of a thread is such a step.
    Nothing may be waited for here, and no thread may be started.
    """
    ends = getattr(sys.modules.get("threading"), "_shutdown_locks_lock", None)
    steps = set()
    if ends is not None and ends.locked():
        code = sys.modules["threading"].Thread._bootstrap.__code__  # noqa: SLF001
        steps |= {(code.co_filename, name) for name in _ENDS_OF_THREADS}
    if _imp.lock_held():
        steps |= {(_IMPORT_SYSTEM, name) for name in _LOOKUPS_OF_LOCKS}
    return bool(steps) and any((code.co_filename, code.co_name) in steps for code, _ in _frames_beneath())


def _frames_beneath() -> "Iterator[tuple[CodeType, FrameType]]":
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way to tell whose step it is
    while frame is not None:
        yield frame.f_code, frame
        frame = frame.f_back


def _root_of(frame: "FrameType") -> str:
    return str(frame.f_locals.get("name", "")).partition(".")[0]
