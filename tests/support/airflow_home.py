"""An installation of Airflow for one test module, and the connection that its tests use."""

import json
import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
BIN = Path(sys.executable).parent


def definition(box, **changes):
    """An Airflow connection to the sandbox, as its service principal, as JSON."""
    fields = {
        "conn_type": "lakekey_databricks",
        "host": box.host,
        "login": box.client_id,
        "password": box.client_secret,
        "extra": {"http_path": box.http_path, "ca_file": box.ca_file, "enable_telemetry": False},
    }
    return json.dumps({**fields, **changes})


class Airflow:
    """An installation of Airflow in a directory of its own, with the sandbox as its connection ``lakehouse``."""

    def __init__(self, home, box, **settings):
        self.home = home
        self.box = box
        self.dags = home / "dags"
        self.dags.mkdir(parents=True)
        (self.dags / "airflow_dag.py").write_text((EXAMPLES / "airflow_dag.py").read_text())
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "LAKEKEY_"))}
        self.environment = {
            **kept,
            **box.environment(),
            # Airflow's commands start each other by name.
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW_CONN_LAKEHOUSE": definition(box),
            "HOME": str(home),
            "LAKEKEY_CACHE_DIR": str(home / "cache"),
            "LAKEKEY_KEY_SOURCE": "file",
            **settings,
        }

    def run(self, *arguments, program="airflow", typed=None):
        return subprocess.run(
            [BIN / program, *arguments],
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def written(self):
        """Everything that Airflow keeps: logs, metadata database, settings; not lakekey's sealed cache."""
        files = [path for path in self.home.rglob("*") if path.is_file() and self.home / "cache" not in path.parents]
        return b"\0".join(path.read_bytes() for path in files)


def leaks(text, box):
    """What stands before each of the sandbox's secrets in a text: the client secret, and every token it has issued."""
    secrets = [secret.encode() for secret in (box.client_secret, *box._realm.ledger._tokens)]
    return [text[max(0, text.index(secret) - 200) : text.index(secret)] for secret in secrets if secret in text]
