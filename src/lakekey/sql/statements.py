"""Which refused calls have started nothing, and which statements leave nothing behind in their session."""

import re

# The methods of a cursor that begin a statement, or in ``executemany`` several.
BEGINNINGS = frozenset({"execute", "execute_async", "executemany", "catalogs", "schemas", "tables", "columns"})

# The connector's calls that start something. If the server refuses one of them, nothing has run.
_STARTS = frozenset({"OpenSession", "ExecuteStatement", "GetCatalogs", "GetSchemas", "GetTables", "GetColumns"})

_READS = frozenset({"select", "values", "show", "describe", "desc", "explain"})
_SPACE = re.compile(r"[\s(]*")
_WORD = re.compile(r"\w*")
_LINE_END = re.compile(r"[\r\n]|\Z")
# Functions that may make another system do something, and what names one that is not written out.
_ACTS = re.compile(r"http_request|remote_query|ai_query|java_method|reflect|identifier", re.IGNORECASE)
_ENDING = "; \t\r\n\f\v"


def started_nothing(refusal: Exception) -> bool:
    """Whether a refused call of the connector has started nothing: it was to start it, and was sent once.

    Args:
        refusal: The connector's error; its ``context`` names the call, and the attempt as ``1/30``.
    """
    context = getattr(refusal, "context", None) or {}
    return context.get("method") in _STARTS and str(context.get("attempt", "1/")).startswith("1/")


def is_plain_read(statement: object) -> bool:
    """Whether a statement is plainly a read: later statements of its session cannot depend on it.

    Reads are named, not the others: ``EXECUTE IMMEDIATE``, ``CACHE TABLE`` and what a later release brings count as
    what may leave something behind. So does a text of several statements, ``WITH``, which may begin an insert, and a
    function by which a query acts on another system. The time is linear in the statement's length.

    Args:
        statement: The statement's text.
    """
    if not isinstance(statement, str) or ";" in statement.rstrip(_ENDING):
        return False
    return _first_word(statement).lower() in _READS and _ACTS.search(statement) is None


def _first_word(statement: str) -> str:
    """The first word after white space, parentheses and comments; ``""`` if servers may disagree which it is."""
    at = 0
    while True:
        at = _end(_SPACE, statement, at)
        if statement.startswith("--", at):
            begin, at = at, _LINE_END.search(statement, at).start()  # type: ignore[union-attr]  # \Z always matches
            # Spark goes on with the comment after a backslash, and not all servers end it at a lone carriage return.
            lone_return = statement.startswith("\r", at) and not statement.startswith("\r\n", at)
            if lone_return or statement[begin:at].endswith("\\"):
                return ""
        elif statement.startswith("/*", at):
            begin, at = at + 2, statement.find("*/", at + 2) + 2
            # Spark nests comments, others do not.
            if at < begin or statement.find("/*", begin, at) >= 0:
                return ""
        else:
            return statement[at : _end(_WORD, statement, at)]


def _end(pattern: re.Pattern[str], statement: str, at: int) -> int:
    match = pattern.match(statement, at)
    return match.end() if match is not None else at
