"""The REST routes: what the connectors call once they are signed in."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request

from lakekey_sandbox.bearer import Bearer, api_error
from lakekey_sandbox.ledger import Subject
from lakekey_sandbox.realm import Realm
from lakekey_sandbox.sql import WAREHOUSE_ID

CLUSTER_ID = "0101-000000-sandbox0"


def mount(app: Flask, realm: Realm, telemetry: Callable[[dict[str, Any]], None]) -> None:
    """Adds the REST routes to the application.

    Args:
        app: The application.
        realm: The sandbox's state.
        telemetry: Takes each telemetry message, as ``{"path", "authorization", "body"}``.
    """
    bearer = Bearer(realm)

    @app.get("/api/2.0/preview/scim/v2/Me")
    def _me() -> Response:
        return jsonify(_scim(realm, bearer.subject()))

    @app.get("/api/2.1/clusters/get")
    def _cluster() -> Response:
        owner = bearer.subject().name
        cluster = request.args.get("cluster_id", "")
        if cluster != CLUSTER_ID:
            return api_error(400, "INVALID_PARAMETER_VALUE", f"Cluster {cluster} does not exist")
        return jsonify(_cluster_of(owner))

    @app.get("/api/2.1/clusters/list")
    def _clusters() -> Response:
        return jsonify(clusters=[_cluster_of(bearer.subject().name)])

    @app.get("/api/2.0/sql/warehouses")
    def _warehouses() -> Response:
        owner = bearer.subject().name
        warehouse = {"id": WAREHOUSE_ID, "name": "Sandbox", "state": "RUNNING", "creator_name": owner}
        return jsonify(warehouses=[{**warehouse, "cluster_size": "2X-Small", "warehouse_type": "PRO"}])

    @app.get("/api/2.0/connector-service/feature-flags/<client>/<version>")
    def _flags(client: str, version: str) -> Response:  # noqa: ARG001  the route's shape
        bearer.subject()
        return jsonify(flags=[], ttl_seconds=900)

    @app.post("/telemetry-ext")
    def _telemetry() -> Response:
        bearer.subject()
        return _recorded(telemetry)

    @app.post("/telemetry-unauth")
    def _anonymous_telemetry() -> Response:
        return _recorded(telemetry)

    @app.errorhandler(404)
    def _not_found(_: Exception) -> Response:
        return api_error(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.path}'")


def _cluster_of(owner: str) -> dict[str, Any]:
    return {
        "cluster_id": CLUSTER_ID,
        "cluster_name": "sandbox",
        "state": "RUNNING",
        "cluster_source": "UI",
        "creator_user_name": owner,
        "spark_version": "16.4.x-scala2.12",
        "data_security_mode": "SINGLE_USER",
        "single_user_name": owner,
    }


def _scim(realm: Realm, subject: Subject) -> dict[str, Any]:
    """A SCIM user (RFC 7643 §4.1) as Databricks shapes it, also for a service principal."""
    client = realm.clients.get(subject.name)
    display = client.name if client is not None and client.name else subject.name.partition("@")[0].title()
    me: dict[str, Any] = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": realm.member_id(subject.name),
        "userName": subject.name,
        "displayName": display,
        "active": True,
        "groups": [{"display": name, "type": "direct", "value": name} for name in _groups(subject)],
    }
    if subject.name in realm.users:
        me["emails"] = [{"type": "work", "value": subject.name, "primary": True}]
        me["name"] = {"givenName": display}
    return me


def _groups(subject: Subject) -> list[str]:
    return ["users"] if subject.group is None else ["users", subject.group]


def _recorded(telemetry: Callable[[dict[str, Any]], None]) -> Response:
    telemetry(
        {
            "path": request.path,
            # Whether there was one, not which.
            "authorization": "Authorization" in request.headers,
            "body": request.get_data(as_text=True),
        }
    )
    received = (request.get_json(silent=True) or {}).get("protoLogs", [])
    return jsonify(errors=[], numProtoSuccess=len(received), numSuccess=len(received), numRealtimeSuccess=0)
