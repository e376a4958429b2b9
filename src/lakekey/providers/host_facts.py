"""What the host says of itself, for a connection that needs it: its workspace and account."""

import os

from lakekey import _log
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import Target
from lakekey.errors import LakekeyError
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
