"""What Airflow asks of a provider package: its connection type, and the form for it. Imports nothing."""

from typing import Any

CONN_TYPE = "lakekey_databricks"
HOOK_NAME = "Databricks (lakekey)"


def get_provider_info() -> dict[str, Any]:
    """The entry point ``apache_airflow_provider``: what this package adds to Airflow, in Airflow's schema for it."""
    return {
        "package-name": "lakekey",
        "name": "lakekey",
        "description": "Signs Databricks connections in from one encrypted token cache that all workers share.",
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                # The SQL hook, since SQLExecuteQueryOperator and its like take the hook of the connection's type.
                # It answers the jobs operators' REST calls too.
                "hook-class-name": "lakekey.airflow.hooks.LakekeyDatabricksSqlHook",
                "hook-name": HOOK_NAME,
                "ui-field-behaviour": {
                    "hidden-fields": ["port", "schema"],
                    "relabeling": {"host": "Workspace", "login": "Client ID", "password": "Client secret"},
                    "placeholders": {
                        "host": "https://<workspace>; empty where the profile names it",
                        "login": "application ID of the service principal",
                        "password": "its OAuth secret",
                    },
                },
                "conn-fields": _FIELDS,
            }
        ],
        "config": {
            "lakekey": {
                "description": "A page in Airflow's UI on which people who develop connect to Databricks.",
                "options": {
                    "portal_profiles": _option("Profiles that people connect to; off where empty.", "prod, staging"),
                    "portal_admins": _option("Airflow's ids of those who administer the page.", "ada, grace"),
                    "portal_automation": _option(
                        "Profile for people=profile of the service principal that tasks use there.", "prod=nightly"
                    ),
                },
            }
        },
    }


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}


def _option(description: str, example: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "string",
        "example": example,
        "default": "",
    }


def _switch(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["boolean", "null"], "default": False}}


_FIELDS = {
    "profile": _text("Profile", "Profile of .databrickscfg on the workers; the fields of this form override it."),
    "http_path": _text("HTTP path", "SQL warehouse or cluster; operators may name another."),
    "warehouse_id": _text("Warehouse ID", "In place of the HTTP path."),
    "account_id": _text("Account ID", "For account-level service principals."),
    "group_id": _text("Group ID", "Group whose role is assumed."),
    "scopes": _text("Scopes", "OAuth scopes, separated by spaces; all-apis where empty."),
    "auth_type": _text("Authentication type", "oauth-m2m where empty and a client secret is there."),
    "ca_file": _text("CA file", "Certificates to trust, a path on the workers; the system's where empty."),
    "pass_through": _switch("Pass through", "Ask lakekey for every request; for tokens that are not JWTs."),
    # No name with "token" in it: Airflow would hide the default, and the form would save the stars.
    "kernel_only": _switch("Kernel only", "For warehouses that refuse Thrift; connections then end with their token."),
}
