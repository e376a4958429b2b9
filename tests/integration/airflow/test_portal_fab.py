"""The page of connections where people sign in to Airflow by FAB's auth manager, on an API server alone."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests

from support.airflow_home import Airflow
from support.airflow_service import free_ports
from support.waiting import until_up
from support.web_browser import Browser

from .conftest import APP, register

# Airflow's own warnings about its own modules are not this project's.
pytestmark = [pytest.mark.timeout(400), pytest.mark.filterwarnings("ignore")]
ADA, GRACE = "ada", "grace"
PATIENCE = 200.0


@contextmanager
def api_server(box, home):
    """Its address; the first person has the id 1, and administers the page."""
    (port,) = free_ports(1)
    url, config_file = f"http://127.0.0.1:{port}", home.parent / "databrickscfg"
    config_file.write_text(f"[prod]\nhost = {box.host}\nca_file = {box.ca_file}\n")
    airflow = Airflow(
        home,
        box,
        AIRFLOW__API__BASE_URL=url,
        AIRFLOW__API__SECRET_KEY="a" * 32,
        AIRFLOW__API_AUTH__JWT_SECRET="b" * 64,
        AIRFLOW__CORE__AUTH_MANAGER="airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        AIRFLOW__FAB__UPDATE_FAB_PERMS="False",  # which takes a while, and is nothing to the page
        AIRFLOW__LAKEKEY__PORTAL_PROFILES="prod",
        AIRFLOW__LAKEKEY__PORTAL_ADMINS="1",
        DATABRICKS_CONFIG_FILE=str(config_file),
        PYTHONPATH=os.pathsep.join(sys.path),
    )
    register(airflow, box, f"{url}/lakekey")
    log = (home.parent / "log").open("w+")
    command = [sys.executable, "-m", "support.programs.airflow_fab", str(port), ADA, GRACE]
    with log, subprocess.Popen(command, env=airflow.environment, stdout=log, stderr=log) as server:
        try:
            until_up(server, home.parent / "log", lambda: answers(url))
            yield url
        finally:
            server.terminate()


def answers(url):
    try:
        return requests.get(f"{url}/lakekey/healthz", timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


def visitor(url, box, name):
    """The browser of a person who has signed in to Airflow."""
    known = {"username": name, "password": name[::-1]}
    browser = Browser(url, None, box.ca_file, origin=url)
    browser.cookies["_token"] = requests.post(f"{url}/auth/token", json=known, timeout=PATIENCE).json()["access_token"]
    return browser


def test_people_of_fabs_auth_manager_each_have_their_own_page_and_visitors_have_none(opaque_sandbox, tmp_path):
    box = opaque_sandbox
    (tmp_path / "home").mkdir()
    with api_server(box, tmp_path / "home") as url:
        ada, grace = visitor(url, box, ADA), visitor(url, box, GRACE)
        page = ada.connect(signs_in="ada@example.com")
        assert "Is this you?" in page.words
        assert "prod is connected as ada@example.com." in ada.press(page, "Use ada@example.com").words
        assert f"You are here as {GRACE}." in grace.get().words
        assert "Not connected" in grace.get().words
        admin = ada.get("/admin")
        assert (admin.status, APP in admin.words) == (200, True)
        assert grace.get("/admin").status == 404
        stranger = Browser(url, None, box.ca_file, origin=url)
        for token in (None, "x", ada.cookies["_token"][:-4] + "AAAA"):
            stranger.cookies = {"_token": token} if token else {}
            assert stranger.get("/connections").status == 401
