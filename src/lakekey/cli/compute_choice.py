"""Which SQL warehouse and which cluster a new profile names: those that the person may use, to choose from."""

from lakekey.cli import prompt
from lakekey.cli.workspace_api import Compute, WorkspaceApi
from lakekey.errors import LakekeyError
from lakekey.providers.provider import Provider


def choose_compute(provider: Provider, *, asks: bool) -> dict[str, str]:
    """The settings for warehouse and cluster, chosen by the person; the only warehouse where there is just one.

    Args:
        provider: Signed in to the workspace.
        asks: Whether a person is here to choose.
    """
    api = WorkspaceApi(provider)
    chosen = {}
    try:
        warehouses = api.warehouses()
        warehouse = _chosen("SQL warehouse", warehouses, asks=asks, optional=False)
        if warehouse is not None:
            chosen["warehouse_id"] = warehouse.id
        cluster = _chosen("Cluster for Spark", api.clusters() if asks else [], asks=asks, optional=True)
        if cluster is not None:
            chosen["cluster_id"] = cluster.id
    except LakekeyError as error:
        prompt.tell(f"lakekey: {error.message}" + (f" ({error.hint})" if error.hint else ""))
    return chosen


def _chosen(what: str, found: list[Compute], *, asks: bool, optional: bool) -> Compute | None:
    if len(found) == 1 and not optional:
        return found[0]
    if not found or not asks:
        return None
    running = next((place for place, each in enumerate(found) if each.state == "RUNNING"), 0)
    place = prompt.choose(
        what, [f"{each.name}  {each.id}  {each.state.lower()}" for each in found], default=running, none=optional
    )
    return found[place] if place is not None else None
