"""Reading the authorization answer that a browser brings back (RFC 6749 §4.1.2)."""

import hmac
from urllib.parse import parse_qsl

_LONGEST_QUERY = 16 * 1024


def read_answer(query: str) -> dict[str, str] | None:
    """The parameters of an authorization answer (RFC 6749 §4.1.2 and §4.1.2.1), or ``None`` if it is something else."""
    if len(query) > _LONGEST_QUERY or not query.isascii():
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=30, errors="strict")
    except ValueError:  # too many fields, or bytes that are not UTF-8
        return None
    parameters = dict(pairs)
    # RFC 6749 §3.1: parameters must not come twice.
    if len(parameters) != len(pairs) or not bool(parameters.get("code")) ^ bool(parameters.get("error")):
        return None
    return parameters


def state_matches(parameters: dict[str, str], state: str) -> bool:
    """Whether an answer belongs to the request that carried ``state`` (RFC 6749 §10.12), in constant time."""
    return bool(state) and hmac.compare_digest(parameters.get("state", "").encode(), state.encode())
