"""What IPython shows of an exception in a cell: the caller's own lines and the last one, without the frames of ours."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as `typing` has it, which `import lakekey` does without
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_RUNS_CELLS = f"{os.sep}IPython{os.sep}"
_STANDARD_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = os.path.join(_STANDARD_LIBRARY, "site-packages", "")


def shown(error: BaseException) -> list[str]:
    """The lines of a traceback, as IPython takes them from an exception's ``_render_traceback_``."""
    source = sys.modules.get("linecache")  # IPython puts the cells there
    lines: list[str] = []
    trace, inside = error.__traceback__, False
    while trace is not None:
        code, number = trace.tb_frame.f_code, trace.tb_lineno
        inside = code.co_filename.startswith(_OURS) or (inside and _is_standard(code))
        if not inside and _RUNS_CELLS not in code.co_filename:
            lines.append(f"  {_place(code, number)}")
            line = source.getline(code.co_filename, number).strip() if source is not None else ""
            lines += [f"    {line}"] if line else []
        trace = trace.tb_next
    said = str(error)
    return [*lines, f"{type(error).__name__}: {said}" if said else type(error).__name__]


def shorten(interruption: KeyboardInterrupt) -> None:
    """Have IPython show an interruption of ours as it shows our errors."""
    # Not with the exception in it: that circle would keep its frames, and the secrets in them, until a collection.
    interruption._render_traceback_ = _shown_now  # type: ignore[attr-defined]


def _shown_now() -> list[str]:
    """The lines of the interruption that IPython shows: the one that is handled, or else the last one.

    Raises:
        LookupError: It is neither; IPython then shows it as any other.
    """
    for error in (sys.exc_info()[1], getattr(sys, "last_value", None)):
        if error is not None and getattr(error, "_render_traceback_", None) is _shown_now:
            return shown(error)
    raise LookupError("an interruption that is not the last one")


def _is_standard(code: CodeType) -> bool:
    """Whether a frame is of a thread or a task that we have started."""
    return code.co_filename.startswith(_STANDARD_LIBRARY) and not code.co_filename.startswith(_INSTALLED)


def _place(code: CodeType, number: int) -> str:
    """Where a line is: the cell as the notebook numbers it, or the file."""
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    try:
        kind, name = shell.compile.format_code_name(code.co_filename)  # `None` for what is not a cell
    except (AttributeError, TypeError):
        return f'File "{code.co_filename}", line {number}, in {code.co_name}'
    return f"{kind} {name}, line {number}"
