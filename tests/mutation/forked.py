"""Tries the breaks of one file in forks of a process that has collected the tests once.

Starting pytest and collecting takes seconds, most tests a few milliseconds. So the tests are collected once and run once
without a break, while it is noted which lines of the file each of them runs. For each break the process is forked, the
broken code is put into the functions that are loaded, and the tests that run its lines are run until one fails, and
after them the tests that start processes, which load the broken file.

What cannot be tried like this is for `break_lines.py` to try from the start: a break of what runs while the module is
loaded, and one that every test has missed.
"""

import _thread
import ast
import contextlib
import faulthandler
import gc
import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple, Protocol

from lasting import Lasting

_NO_BREAK = 77  # the status of a fork whose functions cannot be broken
_FAILED = 78  # and of one in which a test has failed and was torn down
_PATIENCE = 15.0  # seconds that a test may take with a break beyond five times what it takes without it
_START = _thread.start_new_thread
_STARTING = frozenset({"subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec"})


class Breaking(Protocol):
    """What is asked of a break."""

    lines: range
    tree: ast.Module


class _Test(NamedTuple):
    """What a test did without a break.

    Attributes:
        lines: The lines of the file that it ran; ``None`` if that is not known.
        seconds: How long it took.
        starts: Whether it started another process.
    """

    lines: list[int] | None
    seconds: float
    starts: bool


class Forks:
    """A plugin of pytest that tries breaks instead of running the tests.

    Args:
        file: The file, where the tests load it from.
        module: The module that it is.
        found: The breaks.
        broken: Breaks the file, for the processes that tests start.
        noticed: Called with each break that a test notices, as its place in `found`.
        waited: Waits for a child for so many seconds, ends it with what it has started, and returns its exit status.
    """

    def __init__(
        self,
        file: Path,
        module: str,
        found: list[Any],
        broken: Callable[[Any], AbstractContextManager[None]],
        noticed: Callable[[int], None],
        waited: Callable[[int, float], int],
    ) -> None:
        self._file = str(file)
        self._module = module
        self._found = found
        self._broken = broken
        self._noticed = noticed
        self._waited = waited
        self._while_loading: set[int] = set()
        self._notes = file.with_suffix(".notes")

    def pytest_collection(self) -> None:
        """Collect, and note the lines that are run."""
        self._trace(self._while_loading)

    def pytest_fixture_setup(self, fixturedef: Any) -> None:
        """Note the servers that the tests ask for."""
        self._lasting.asked_for.add(fixturedef.argname)

    def pytest_runtestloop(self, session: Any) -> bool:
        """Try each break."""
        with contextlib.suppress(ImportError):  # of a library that is not here
            importlib.import_module(self._module)  # in the forks it would be loaded broken, and once for each
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        _thread.start_new_thread = _START
        self._lasting = Lasting(session)
        # Some tests measure time, or how much is loaded, and fail if their lines are looked at.
        passes = (
            self._forked(lambda traced=traced: self._look(session, traced=traced), 4000) for traced in (True, False)
        )
        if session.testsfailed or all(status != 0 for status in passes):
            raise session.Failed("the tests fail without a break")
        servers, seen = json.loads(self._notes.read_text("utf-8"))
        tests = [_Test(*each) for each in seen]
        self._lasting.start(servers)
        noticing: Counter[int] = Counter()
        for place, one in enumerate(self._found):
            if not self._while_loading.isdisjoint(one.lines):
                continue
            order = _order(tests, one, noticing)
            limit = sum(_limit(tests[number]) for number in order)
            with self._broken(one):
                status = self._forked(lambda one=one, order=order: self._run(session, one, order, tests), limit)
            if status not in (0, _NO_BREAK):
                self._noticed(place)
                with contextlib.suppress(FileNotFoundError, ValueError):
                    noticing[json.loads(self._notes.read_text("utf-8"))] += 1
        return True

    def _trace(self, lines: set[int]) -> None:
        """Note the lines of the file that are run from now on, in this thread and in new ones."""

        def line(frame: FrameType, event: str, _: object) -> Any:
            lines.add(frame.f_lineno)
            return line

        def call(frame: FrameType, event: str, argument: object) -> Any:
            return line(frame, event, argument) if frame.f_code.co_filename == self._file else None

        def start(work: Callable[..., object], arguments: tuple[Any, ...]) -> int:
            def traced() -> None:
                sys.settrace(call)
                work(*arguments)

            return _START(traced, ())

        threading.settrace(call)
        sys.settrace(call)
        _thread.start_new_thread = start  # type: ignore[assignment]  # whose threads `threading` does not know

    def _look(self, session: Any, *, traced: bool) -> int:
        """Run the tests without a break, in a fork, and write down what each does."""
        tests = []
        started: list[str] = []
        sys.addaudithook(lambda event, _: started.append(event) if event in _STARTING else None)
        for number in range(len(session.items)):
            lines: set[int] = set()
            started.clear()
            begun = time.monotonic()
            if traced:
                self._trace(lines)
            _run_test(session, number, number + 1)
            if session.testsfailed:
                return _FAILED
            tests.append(_Test(sorted(lines) if traced else None, time.monotonic() - begun, bool(started)))
        self._notes.write_text(json.dumps([sorted(self._lasting.asked_for), tests]), "utf-8")
        return 0

    def _run(self, session: Any, one: Breaking, order: list[int], tests: list[_Test]) -> int:
        """Run tests with a break, in a fork, until one fails."""
        if not put_in(one.tree, self._file):
            return _NO_BREAK
        for number, following in zip(order, [*order[1:], len(session.items)], strict=False):  # of none, none follows
            self._notes.write_text(json.dumps(number), "utf-8")
            # Ends this process whatever the test hangs in, so that it costs the time of one test and not of all.
            faulthandler.dump_traceback_later(_limit(tests[number]), exit=True)
            _run_test(session, number, following)
            faulthandler.cancel_dump_traceback_later()
            if session.testsfailed:
                return _FAILED
        return 0

    def _forked(self, work: Callable[[], int], limit: float) -> int:
        self._notes.unlink(missing_ok=True)
        child = os.fork()
        if child:
            status = self._waited(child, limit)
            self._lasting.tidy(whole=status in (0, _NO_BREAK, _FAILED))
            return status
        status = 1
        try:
            os.setsid()
            self._lasting.leave()
            status = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


def _order(tests: list[_Test], one: Breaking, noticing: Counter[int]) -> list[int]:
    """The tests to be run with a break, by number, those first that have noticed most and take least."""
    running = [
        number for number, test in enumerate(tests) if test.lines is None or not set(test.lines).isdisjoint(one.lines)
    ]
    starting = [number for number, test in enumerate(tests) if test.starts and number not in set(running)]

    def rank(number: int) -> tuple[int, float]:
        return -noticing[number], tests[number].seconds

    return sorted(running, key=rank) + sorted(starting, key=rank)


def _limit(test: _Test) -> float:
    return _PATIENCE + 5 * test.seconds


def _run_test(session: Any, number: int, following: int) -> None:
    item = session.items[number]
    next_item = session.items[following] if following < len(session.items) else None
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def put_in(tree: ast.Module, file: str) -> bool:
    """Put a file's broken code into the functions that were loaded from it.

    Returns:
        Whether that breaks them as the file itself would.
    """
    broken: dict[tuple[str, int], list[CodeType]] = {}
    for code in _codes(compile(tree, file, "exec", dont_inherit=True)):
        broken.setdefault((code.co_qualname, code.co_firstlineno), []).append(code)
    changed = False
    frozen = gc.get_freeze_count()  # as the tests leave what they consist of: then the collector does not list it
    gc.unfreeze()
    alive = gc.get_objects()
    if frozen:
        gc.freeze()
    for function in alive:
        if not isinstance(function, FunctionType) or (code := function.__code__).co_filename != file:
            continue
        successors = broken.get((code.co_qualname, code.co_firstlineno), [])
        if len(successors) != 1 or successors[0].co_freevars != code.co_freevars:
            return False
        if successors[0] != code:
            function.__code__ = successors[0]
            changed = True
    return changed
