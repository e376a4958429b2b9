"""Airflow's API server alone, with FAB's auth manager; its arguments are a port and the people who may sign in."""

import sys

import uvicorn
from airflow.api_fastapi.app import create_app
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.utils.db import initdb

if __name__ == "__main__":
    port, *people = sys.argv[1:]
    initdb()
    with get_application_builder() as builder:
        role = builder.sm.add_role("Person")
        for name in people:
            assert builder.sm.add_user(name, "A", "Person", f"{name}@example.com", role, password=name[::-1])
    uvicorn.run(create_app(apps="core"), host="127.0.0.1", port=int(port))
