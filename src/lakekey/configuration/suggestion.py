"""The known name that a mistyped one most resembles, and the names that are known besides ours."""

from collections.abc import Iterable

from lakekey._imports import LOADING

#: Keys of the SDKs that a profile may have and that change nothing here.
OTHER_KEYS = frozenset(
    {
        "config_file",
        "debug_headers",
        "debug_truncate_bytes",
        "disable_async_token_refresh",
        "disable_experimental_files_api_client",
        "http_timeout_seconds",
        "jobs-api-version",
        "max_connection_pools",
        "max_connections_per_pool",
        "rate_limit",
        "retry_timeout_seconds",
        "skip_verify",
    }
)


def nearest(word: str, known: Iterable[str], *, at_least: float = 0.7) -> str | None:
    """The known word that a mistyped one most resembles, or ``None`` if none does.

    Args:
        word: What was typed.
        known: What there is.
        at_least: How much alike they must be, from 0 to 1.
    """
    with LOADING:
        import difflib  # only where something is wrong

    spelled = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold()[:200], spelled, n=1, cutoff=at_least)
    return spelled[found[0]] if found else None


def misspelled(setting: str, keys: Iterable[str], known: Iterable[str]) -> str | None:
    """The key of a profile that most likely means a setting which is missing, or ``None``.

    Args:
        setting: The setting.
        keys: What the profile calls its settings.
        known: The keys that mean something else.
    """
    spelled = {nearest(key, (setting,), at_least=0.6): key for key in keys if key not in set(known)}
    return spelled.get(setting)
