import ast
import inspect
import subprocess
import sys

from lakekey.airflow import provider_info
from lakekey.configuration.settings import SETTINGS


def connection_type():
    (found,) = provider_info.get_provider_info()["connection-types"]
    return found


def test_asking_for_it_imports_nothing_of_airflow():
    code = (
        "import sys, lakekey.airflow.provider_info as i; i.get_provider_info(); "
        "print([n for n in sys.modules if n.split('.')[0] == 'airflow'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_each_field_of_the_form_is_a_setting_or_a_switch():
    package = inspect.getfile(provider_info).rpartition("provider_info")[0]
    with open(f"{package}connection.py", encoding="utf-8") as file:
        (switches,) = [
            ast.literal_eval(node.value)
            for node in ast.parse(file.read()).body
            if isinstance(node, ast.Assign) and node.targets[0].id == "SWITCHES"
        ]
    assert set(connection_type()["conn-fields"]) <= {*SETTINGS, *switches, "profile"}
    assert set(switches) <= set(connection_type()["conn-fields"])


def test_no_secret_is_a_field_of_the_form():
    assert not any(SETTINGS[name].secret for name in connection_type()["conn-fields"] if name in SETTINGS)


def test_hook_class_is_where_the_provider_info_says():
    module, _, name = connection_type()["hook-class-name"].rpartition(".")
    with open(inspect.getfile(provider_info).replace("provider_info", "hooks"), encoding="utf-8") as file:
        classes = {node.name for node in ast.parse(file.read()).body if isinstance(node, ast.ClassDef)}
    assert module == "lakekey.airflow.hooks"
    assert name in classes
