"""A test connection: signed in, to the warehouse or the cluster that the profile names."""

import time
from collections.abc import Iterator

from lakekey.cli.doctor.finding import FAILED, OK, WARNING, Check, failed
from lakekey.configuration.target import Target
from lakekey.errors import LakekeyError
from lakekey.providers import factory
from lakekey.providers.provider import Provider
from lakekey.session.assembly import transport_of

_PATIENCE = 30.0


def check_connection(target: Target) -> Iterator[Check]:
    """Sign in, and use what was signed in to.

    Raises:
        LakekeyError: The sign-in did not succeed.
    """
    provider = factory.provider_of(target)
    provider.headers()
    yield Check("sign-in", OK, f"as {provider.identity() or target.client_id or target.auth_type}")
    if target.http_path:
        yield _select(provider)
    if target.cluster_id:
        yield _look_at_cluster(provider, target.cluster_id)
    if not target.http_path and not target.cluster_id:
        yield Check(
            "connection", WARNING, "the profile names no compute", "set warehouse_id or cluster_id in the profile"
        )


def _select(provider: Provider) -> Check:
    from lakekey import sql
    from lakekey.cli.debug import leave_errors_to_us

    leave_errors_to_us()
    began = time.monotonic()
    try:
        with sql.connect(provider, enable_telemetry=False) as connection, connection.cursor() as cursor:
            cursor.execute("select 1")
            cursor.fetchall()
    except LakekeyError as error:
        return failed("warehouse", error)
    except Exception as error:  # noqa: BLE001 - the connector raises errors of several libraries
        said = (str(error).splitlines() or [""])[0][:200]
        return Check(
            "warehouse",
            FAILED,
            f"select 1 failed: {type(error).__name__}: {said}",
            f"check that {provider.target.http_path} exists, and that you may use it",
        )
    took = time.monotonic() - began
    return Check("warehouse", OK, f"select 1 on {provider.target.http_path} in {took:.1f} s")


def _look_at_cluster(provider: Provider, cluster_id: str) -> Check:
    target = provider.target
    transport = transport_of(target)
    answer = transport.get(
        f"{target.host}/api/2.1/clusters/get?cluster_id={cluster_id}",
        headers=provider.headers(),
        deadline=time.monotonic() + _PATIENCE,
    )
    fields = answer.json_object() or {}
    if answer.status == 200 and "state" in fields:
        return Check("cluster", OK, f"{cluster_id} is {fields['state']}")
    said = str(fields.get("message") or answer.describe())[:200]
    return Check("cluster", FAILED, f"{cluster_id}: {said}", "check cluster_id in the profile, and that you may attach")
