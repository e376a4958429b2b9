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
# Functions that may make another system do something. `identifier` makes a name from a text: it may be one of theirs.
_ACTS = frozenset({"http_request", "remote_query", "ai_query", "java_method", "reflect", "try_reflect", "identifier"})
_SCRIPT = "using"  # before a string: the command of a TRANSFORM, a MAP or a REDUCE
_PARAMETERS = (":", "?", "%")
# Most statements need no closer look.
_MAY_ACT = re.compile(r"http_request|remote_query|ai_query|java_method|reflect|identifier|using", re.IGNORECASE)
_PART = re.compile(r"(?P<comment>--|/\*)|(?P<quote>[rR]?['\"]|`)|(?P<word>\w+)|\S")
_QUOTE_END = {"'": re.compile(r"['\\]"), '"': re.compile(r'["\\]')}
_QUOTES = frozenset("'\"`")
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
    what may leave something behind. So does a text of several statements, ``WITH``, which may begin an insert, a call
    of a function by which a query acts on another system, and a script that rows are sent through (``TRANSFORM``). The
    time is linear in the statement's length.

    Args:
        statement: The statement's text.
    """
    if not isinstance(statement, str) or ";" in statement.rstrip(_ENDING):
        return False
    return _first_word(statement).lower() in _READS and not _acts(statement)


def _first_word(statement: str) -> str:
    """The first word after white space, parentheses and comments; ``""`` if servers may disagree which it is."""
    at = 0
    while True:
        at = _end(_SPACE, statement, at)
        if not statement.startswith(("--", "/*"), at):
            return statement[at : _end(_WORD, statement, at)]
        at = _comment_end(statement, at)
        if at < 0:
            return ""


def _acts(statement: str) -> bool:
    """Whether a query calls one of the functions that act, or a script; also where servers may disagree on that."""
    if _MAY_ACT.search(statement) is None:
        return False
    at, name = 0, ""
    while (part := _PART.search(statement, at)) is not None:
        begin, at = part.span()
        # What a parameter is filled with, which the connector may write into the text, is not seen here.
        if name == _SCRIPT and part[0] in _PARAMETERS:
            return True
        if part["comment"]:
            at = _comment_end(statement, begin)
        elif part["quote"]:
            if name == _SCRIPT and part["quote"] != "`":
                return True
            at = _quote_end(statement, at, part["quote"])
            # A server may be set to take double quotes for those of a name.
            name = "" if part["quote"][-1] == "'" else statement[begin + 1 : at - 1].lower()
        elif part[0] == "(" and name in _ACTS:
            return True
        else:
            name = (part["word"] or "").lower()
        if at < 0:
            return True
    return False


def _comment_end(statement: str, begin: int) -> int:
    """Where a comment ends; -1 if servers may disagree on that."""
    if statement.startswith("--", begin):
        end = _LINE_END.search(statement, begin).start()  # type: ignore[union-attr]  # \Z always matches
        # Spark goes on with the comment after a backslash, and not all servers end it at a lone carriage return.
        lone_return = statement.startswith("\r", end) and not statement.startswith("\r\n", end)
        return -1 if lone_return or statement[begin:end].endswith("\\") else end
    end = statement.find("*/", begin + 2)
    # Spark nests comments, others do not, and a string in a hint may hold what ends one.
    quoted = statement.startswith("/*+", begin) and not _QUOTES.isdisjoint(statement[begin:end])
    return -1 if end < 0 or quoted or statement.find("/*", begin + 2, end + 2) >= 0 else end + 2


def _quote_end(statement: str, at: int, quote: str) -> int:
    """Where a string or a quoted name ends whose content begins here; -1 if it does not."""
    if quote == "`" or len(quote) > 1:  # a raw string has no escapes
        return statement.find(quote[-1], at) + 1 or -1
    while (found := _QUOTE_END[quote].search(statement, at)) is not None:
        if found[0] == quote:
            return found.end()
        at = found.end() + 1
    return -1


def _end(pattern: re.Pattern[str], statement: str, at: int) -> int:
    match = pattern.match(statement, at)
    return match.end() if match is not None else at
