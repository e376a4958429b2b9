"""What the host says of itself, for a connection that needs it: its workspace and account, and the path for SQL."""

import os

from lakekey import _log
from lakekey._hosts import routed_path
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError, LakekeyError
from lakekey.session.assembly import client_of


def with_workspace(target: Target) -> Target:
    """The target with the workspace and account that its host names, and the SQL path of its cluster.

    What the host says is remembered in the sealed cache, so most connections ask nothing. Best effort: a host that
    does not say leaves the target as it is.

    Args:
        target: A target, most often with a cluster and without a workspace.
    """
    try:
        cache = open_cache(target.cache_environment(os.environ), place=target.store)
        found = client_of(target, cache).discover()
    except LakekeyError as error:
        _log.debug("provider", "%s: the workspace is not known: %s", target.name, error.message)
        return target
    return target.in_workspace(found.workspace_id, found.account_id)


def sql_path(target: Target, http_path: str | None = None) -> str:
    """The path of the warehouse or cluster that SQL goes to, which says what workspace it is in, where that is known.

    The host is asked for its workspace only for a cluster whose path is not told.

    Args:
        target: What is signed in to.
        http_path: Another warehouse or cluster than the target's.

    Raises:
        ConfigurationError: None is named.
    """
    if not (http_path or target.http_path) and target.cluster_id:
        target = with_workspace(target)
    http_path = http_path or target.http_path
    if not http_path:
        raise ConfigurationError(
            "there is no http_path", hint="set warehouse_id or http_path in the profile", profile=target.name
        )
    return routed_path(http_path, target.workspace_id)
