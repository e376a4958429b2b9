"""Each page's examples run as they stand, with the README's own profiles; those that need more run where that is."""

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest

import lakekey
from lakekey.cache.keys.kms import service
from lakekey.configuration.target import resolve
from support import processes
from support.inside import session_of

ROOT = Path(__file__).parents[3]
PAGES = ("sql", "sdk", "sqlalchemy", "rest", "migration", "other-languages", "observability")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = ("text",)  # how it was before, which is not ours
# What is shown and cannot run here, with the test that runs it; a page and the first words of its example.
ELSEWHERE = {
    ("README.md", "make demo"): "tests/integration/pages/test_readme.py::test_the_make_targets_and_extras_are_there",
    ("README.md", "$ pip install"): "tests/integration/pages/test_readme.py::test_the_first_row_comes_as_shown",
    ("README.md", "pip install"): "tests/integration/pages/test_readme.py::test_the_make_targets_and_extras_are_there",
    ("README.md", "[prod]"): "tests/integration/pages/test_readme.py::box",
    ("README.md", "import lakekey\n\nwith"): "tests/integration/pages/test_readme.py::test_the_sql_example_prints_who_is_signed_in",
    ("README.md", "import lakekey\nfrom"): "tests/integration/pages/test_readme.py::test_the_sdk_example_prints_who_is_signed_in",
    ("README.md", "import lakekey\n\np ="): "tests/integration/pages/test_readme.py::test_the_provider_example_signs_the_service_principal_in",
    ("README.md", "lakekey login"): "tests/integration/pages/test_readme.py::test_the_commands_run_as_they_stand",
    ("CONTRIBUTING.md", "make"): "tests/integration/pages/test_docs.py::test_the_make_targets_are_there",
    ("docs/explanation/performance.md", "make"): "tests/integration/pages/test_docs.py::test_the_make_targets_are_there",
    ("docs/reference/key-sources.md", "bao "): "tests/integration/keys/test_openbao.py::test_the_pages_two_commands_set_it_up",
    **{
        ("docs/reference/key-sources.md", tool): "tests/integration/keys/test_page.py::test_what_the_page_sets_names_a_key"
        for tool in ("aws ", "az ", "gcloud ")
    },
    ("docs/guides/keep-alive.md", "$ lakekey"): "tests/integration/session/test_keep_alive.py::test_the_page_shows_the_commands_own_columns",
    ("docs/guides/keep-alive.md", "lakekey"): "tests/integration/session/test_keep_alive.py::test_the_unit_that_it_prints_runs_it",
    ("docs/guides/keep-alive.md", "import"): "tests/integration/session/test_keep_alive.py::test_the_pages_program_keeps_them_alive",
    **{
        ("docs/guides/postgresql.md", words): f"tests/integration/fleet/test_store_pages.py::{test}"
        for words, test in (
            ("pip install", "test_the_commands_of_the_postgresql_page_set_a_store_up"),
            ("export LAKEKEY_STORE", "test_the_commands_of_the_postgresql_page_set_a_store_up"),
            ("lakekey store copy", "test_the_commands_of_the_postgresql_page_set_a_store_up"),
            ("CREATE ROLE", "test_the_commands_of_the_postgresql_page_set_a_store_up"),
        )
    },
    ("docs/guides/redis.md", "pip install"): "tests/integration/fleet/test_store_pages.py::test_the_commands_of_the_redis_page_set_a_store_up",
    ("docs/guides/redis.md", "export"): "tests/integration/fleet/test_store_pages.py::test_the_commands_of_the_redis_page_set_a_store_up",
    ("docs/reference/audit.md", "import logging"): "tests/integration/session/test_audit.py::test_the_pages_formatter_writes_the_same_line",
    ("docs/reference/configuration.md", "#"): "tests/integration/pages/test_docs.py::test_the_profiles_of_a_page_resolve",
    ("docs/guides/login.md", "[prod]"): "tests/integration/pages/test_docs.py::test_the_profiles_of_a_page_resolve",
    ("docs/guides/login.md", "import lakekey\n\nprovider"): "tests/integration/pages/test_docs.py::test_a_program_may_ask_to_be_told_of_a_sessions_end",
    ("docs/reference/key-sources.md", "[project"): "tests/integration/pages/test_docs.py::test_a_key_management_service_looks_as_the_page_says",
    ("docs/reference/key-sources.md", "class"): "tests/integration/pages/test_docs.py::test_a_key_management_service_looks_as_the_page_says",
    ("docs/reference/observability.md", "pip install"): "tests/integration/pages/test_docs.py::test_the_extras_that_pages_name_are_there",
    ("docs/guides/airflow.md", "$"): "tests/integration/airflow/test_dags_test.py::test_the_pages_command_makes_the_connection",
    ("docs/guides/airflow.md", 'r"""'): "tests/integration/airflow/test_dags_test.py::test_the_example_is_the_one_that_the_page_shows",
    ("docs/guides/airflow.md", "from"): "tests/integration/airflow/test_hooks.py::test_the_hooks_of_the_page_ask_and_run",
    ("docs/guides/airflow.md", "[lakekey]"): "tests/integration/airflow/test_portal.py::test_settings_of_the_page_serve_it",
    **{
        ("docs/guides/portal-service.md", words): f"tests/integration/web/test_portal_service.py::{test}"
        for words, test in (
            ("lakekey web prod", "test_unit_that_the_page_prints_is_one_that_systemd_takes"),
            ("FROM python", "test_container_without_rights_and_with_a_read_only_root_connects_a_person"),
            ("head -c 32", "test_files_as_the_page_prepares_them_are_taken_by_the_container_and_by_root"),
            ("docker run", "test_image_runs_as_no_root_and_holds_no_secret"),
            ("apiVersion", "test_pod_starts_the_same_portal_from_files_and_has_no_right_to_write"),
        )
    },
    ("docs/guides/dbt.md", "weather:"): "tests/integration/dbt/test_dbt.py::test_the_profiles_that_the_pages_show_pass_dbts_own_check",
    ("docs/guides/dbt.md", "$ lakekey serve"): "tests/integration/dbt/test_dbt.py::test_plain_dbt_databricks_signs_in_through_the_metadata_service",
    ("docs/guides/dbt.md", "$ export"): "tests/integration/dbt/test_dbt.py::test_plain_dbt_databricks_signs_in_through_lakekey_as_its_cli",
    ("docs/guides/migration.md", "weather:"): "tests/integration/dbt/test_dbt.py::test_the_profiles_that_the_pages_show_pass_dbts_own_check",
    ("packages/dbt-lakekey/README.md", "#"): "tests/integration/dbt/test_dbt.py::test_the_profiles_that_the_pages_show_pass_dbts_own_check",
    ("docs/guides/testing.md", "import pytest"): "tests/integration/pages/test_docs.py::test_the_sandboxes_tests_pass_as_they_stand",
    ("docs/guides/testing.md", "import lakekey"): "tests/integration/pages/test_docs.py::test_the_sandboxes_program_runs_as_it_stands",
    ("docs/guides/spark.md", "import lakekey\n\n"): "tests/integration/spark/test_example.py::test_the_examples_of_the_page_run",
    ("docs/guides/spark.md", "import lakekey\nfrom pyspark.sql.connect"): "tests/integration/spark/test_example.py::test_the_examples_of_the_page_run",
    ("docs/guides/spark.md", "import lakekey\nfrom databricks"): "tests/integration/spark/test_databricks_connect.py::test_databricks_connect_runs_a_query",
    ("docs/guides/spark.md", "import lakekey\nfrom pyspark.sql import"): "tests/integration/spark/test_jdbc.py::test_the_example_of_the_page_reaches_the_driver",
    ("docs/guides/recipes.md", "# job.py"): "tests/integration/pages/test_recipes.py::test_cron_starts_it",
    ("docs/guides/recipes.md", "# app.py, for: uvicorn"): "tests/integration/pages/test_recipes.py::test_the_web_back_end_answers_as_the_service",
    ("docs/guides/recipes.md", "FROM"): "tests/integration/pages/test_recipes.py::test_the_container_keeps_nothing",
    ("docs/guides/recipes.md", "docker run --rm -e DATABRICKS_HOST -e DATABRICKS_WAREHOUSE_ID -e DATABRICKS_CLIENT_ID -e DATABRICKS_CLIENT_SECRET my"): "tests/integration/pages/test_recipes.py::test_the_container_keeps_nothing",
    ("docs/guides/recipes.md", "docker run --rm -e DATABRICKS_HOST -e DATABRICKS_WAREHOUSE_ID -e DATABRICKS_CLIENT_ID -e DATABRICKS_CLIENT_SECRET \\"): "tests/integration/pages/test_recipes.py::test_containers_with_a_volume_and_a_key_share_a_token",
    ("docs/guides/recipes.md", "apiVersion"): "tests/integration/pages/test_recipes.py::test_the_pods_service_account_is_the_identity",
    ("docs/guides/recipes.md", "on: push"): "tests/integration/pages/test_recipes.py::test_the_workflow_run_is_the_identity",
    ("docs/guides/recipes.md", "query:"): "tests/integration/pages/test_recipes.py::test_the_job_token_of_other_ci_is_the_identity",
    ("docs/guides/recipes.md", "# crontab"): "tests/integration/pages/test_recipes.py::test_cron_starts_it",
    ("docs/guides/recipes.md", "# ~/.config/systemd/user/job.service"): "tests/integration/pages/test_recipes.py::test_systemd_starts_it",
    ("docs/guides/recipes.md", "# ~/.config/systemd/user/job.timer"): "tests/integration/pages/test_recipes.py::test_systemd_starts_it",
    ("docs/guides/recipes.md", "import pandas as pd\n\nimport lakekey"): "tests/integration/pages/test_recipes.py::test_jupyter_shows_a_frame_and_a_new_kernel_does_not_prompt",
    ("docs/guides/recipes.md", "# app.py, for: streamlit"): "tests/integration/pages/test_recipes.py::test_streamlit_shows_a_frame_with_one_token",
    ("docs/guides/recipes.md", "import lakekey\n\nfor"): "tests/integration/pages/test_recipes.py::test_two_people_ask_side_by_side",
    ("docs/guides/portal.md", "pip install 'lakekey[sql,web]'"): "tests/integration/web/test_guide.py::test_commands_of_the_guide_register_an_app_that_the_server_takes",
    ("docs/guides/portal.md", "# app.py"): "tests/integration/web/test_guide.py::test_fastapi_application_of_the_guide_acts_as_its_user",
    ("docs/guides/portal.md", "# shop.py"): "tests/integration/web/test_guide.py::test_flask_with_a_strict_session_is_bridged",
    ("docs/guides/portal.md", "# mysite/asgi.py"): "tests/integration/web/test_guide.py::test_django_is_served_beside_the_portal",
    ("docs/guides/portal.md", "# dashboard.py"): "tests/integration/web/test_guide.py::test_streamlit_shows_each_user_their_own_or_the_link",
    ("docs/guides/portal.md", "# halves.py"): "tests/integration/web/test_guide.py::test_routes_of_ones_own_connect_a_user",
    ("docs/guides/portal-service.md", "log_format no_query"): "tests/integration/web/test_behind_nginx.py::test_nginx_of_the_guide_signs_people_in_believes_no_visitor_and_logs_no_code",
    ("docs/guides/start.md", "$ pip install"): "tests/integration/cli/test_first_five_minutes.py::test_first_row_takes_three_commands",
    ("docs/guides/upgrade.md", "pip install --upgrade"): "tests/integration/pages/test_upgrade_page.py::test_a_later_format_says_to_upgrade_and_is_left_alone",
    ("docs/guides/upgrade.md", "export LAKEKEY_CACHE_DIR"): "tests/integration/pages/test_upgrade_page.py::test_an_older_release_can_have_a_cache_of_its_own",
    ("docs/guides/upgrade.md", "lakekey logout --all"): "tests/integration/pages/test_upgrade_page.py::test_removing_revokes_and_leaves_no_secret",
}  # fmt: skip


def page_of(name):
    """The one page of that name, whichever of docs' folders it stands in."""
    (found,) = (ROOT / "docs").rglob(f"{name}.md")
    return found.relative_to(ROOT).as_posix()


def blocks(page, language):
    return [text for found, text in FENCE.findall((ROOT / page).read_text(encoding="utf-8")) if found == language]


def the_block(page, word):
    """The one example of a page that holds a word."""
    (found,) = [text for _, text in FENCE.findall((ROOT / page).read_text(encoding="utf-8")) if word in text]
    return found


def examples(language):
    return [
        pytest.param(block, id=f"{page}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page_of(page), language), 1)
        if not block.startswith("pip install")
    ]


@pytest.fixture
def box(unnamed_workspace, tmp_path):
    box = unnamed_workspace
    here = {
        "host": box.host,
        "warehouse_id": box.warehouse_id,
        "client_id": box.client_id,
        "client_secret": box.client_secret,
    }
    (profiles,) = blocks("README.md", "ini")
    for name, value in here.items():
        profiles = re.sub(rf"^({name} *= ).*$", rf"\g<1>{value}", profiles, flags=re.MULTILINE)
    (tmp_path / "databrickscfg").write_text(profiles.replace("\n\n", f"\nca_file = {box.ca_file}\n\n"))
    return box


@pytest.mark.parametrize("example", examples("python"))
def test_the_example_runs(box, example):
    processes.run(example)


def test_the_example_of_opentelemetry_exports_a_refresh_within_the_callers_span(box):
    out = processes.run(blocks("docs/reference/observability.md", "python")[-1])
    assert '"name": "lakekey.refresh"' in out
    assert '"name": "lakekey.refreshes"' in out
    (trace, other) = re.findall(r'"trace_id": "(\w+)"', out)[:2]
    assert trace == other


def test_the_sandboxes_tests_pass_as_they_stand(tmp_path):
    assert "2 passed" in processes.passes(tmp_path, the_block("docs/guides/testing.md", "import pytest"))


def test_the_sandboxes_program_runs_as_it_stands(bare_machine):
    said = processes.run(the_block("docs/guides/testing.md", "with Sandbox("))
    assert said.endswith("\n1 token request")
    assert not (bare_machine / "cache").exists()


@pytest.mark.parametrize("script", examples("sh"))
def test_the_commands_run(box, script, monkeypatch):
    monkeypatch.setenv("PATH", os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
    shell = subprocess.Popen(
        ["sh", "-euc", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = shell.communicate(timeout=60)
    finally:
        # Whatever a script that failed has left running: a group of its own, with this number for its leader.
        end_its_group(shell)
    assert shell.returncode == 0, out + err
    if "current_user" in script:  # who another program's SDK is signed in as, by the profile that the page names
        assert out.splitlines()[-1] == (box.client_id if "nightly" in script else "ada@example.com")


def end_its_group(shell):
    with suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()


@pytest.mark.parametrize("page", ["docs/reference/configuration.md", "docs/guides/login.md"])
def test_the_profiles_of_a_page_resolve(page, tmp_path):
    (profiles,) = blocks(page, "ini")
    path = tmp_path / "databrickscfg"
    path.write_text(profiles, encoding="utf-8")
    for name in re.findall(r"^\[(\w+)\]", profiles, re.MULTILINE):
        target = resolve(name, config_file=str(path))
        assert target.is_person == ("client_secret" not in profiles.partition(f"[{name}]")[2].partition("\n[")[0])


def test_a_program_may_ask_to_be_told_of_a_sessions_end(box):
    first = lakekey.provider("prod")
    first.login()
    cache, name = session_of(first).cache, session_of(first).entry_id
    stored, ends = cache.read(name), time.time() + 600
    cache.put(name, stored.entry._replace(session_ends_at=ends), replaces=stored.envelope)
    told = []
    here = {"print": lambda *facts: told.append(facts)}
    exec(the_block("docs/guides/login.md", "on_session_ending"), here)
    cache.put(name, cache.get(name)._replace(logged_in_at=ends - 86400), replaces=cache.read(name).envelope)
    here["provider"].headers()
    ((who, when, command),) = told
    assert (who, when.timestamp()) == ("ada@example.com", pytest.approx(ends, abs=1))
    assert command.startswith("lakekey login prod")


def test_a_key_management_service_looks_as_the_page_says():
    here = {}
    exec(the_block("docs/reference/key-sources.md", "class Transit"), here)
    transit = here["Transit"]({"VAULT_KEY": "transit/keys/lakekey"})
    assert transit.where == "transit/keys/lakekey"
    wanted = {"where", *(name for name in vars(service.KeyWrapper) if not name.startswith("_"))}
    assert {word for word in dir(transit) if not word.startswith("_")} == wanted
    (group,) = tomllib.loads(the_block("docs/reference/key-sources.md", "entry-points"))["project"]["entry-points"]
    assert group == service.GROUP


def test_the_make_targets_are_there():
    makefile, noxfile = ((ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "noxfile.py"))
    parts = {f"test-{name}" for name in re.findall(r"^@nox.session\ndef (\w+)", noxfile, re.MULTILINE)}
    assert "test-main" in parts
    for page in ("README.md", "CONTRIBUTING.md", "docs/explanation/performance.md"):
        shown = "\n".join([*blocks(page, "sh"), *blocks(page, "console")])
        targets = re.findall(r"^make ([\w-]+)", shown, re.MULTILINE)
        assert targets
        assert [each for each in targets if f"\n{each}:" not in makefile and each not in parts] == []


def test_the_extras_that_pages_name_are_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {
        extra
        for page in ("README.md", "docs/**/*.md")
        for path in ROOT.glob(page)
        for extras in re.findall(r"lakekey\[([\w,]+)\]", path.read_text(encoding="utf-8"))
        for extra in extras.split(",")
    }
    assert len(named) > 3
    assert named <= set(project)


def shown():
    for page in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "docs/**/*.md", "packages/*/README.md"):
        for path in sorted(ROOT.glob(page)):
            name = path.relative_to(ROOT).as_posix()
            for language, text in FENCE.findall(path.read_text(encoding="utf-8")):
                yield name, language, text


def test_each_example_of_each_page_is_run_by_a_test():
    here = {block.values[0] for language in ("python", "sh") for block in examples(language)}
    used = set()
    for page, language, text in shown():
        keys = [key for key in ELSEWHERE if key[0] == page and text.startswith(key[1])]
        assert keys or text in here or language in NOT_RUN, (page, text[:60])
        used.update(keys)
    assert used == set(ELSEWHERE)


def test_the_tests_that_run_them_are_there():
    for test in ELSEWHERE.values():
        path, name = test.split("::")
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), test


def test_every_page_has_an_example_and_links_that_lead_somewhere():
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
            linked = page.parent / path if path else page
            assert os.path.exists(linked), (page.name, path)
            if anchor:
                heads = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}, anchor
    assert all(blocks(page_of(page), "python") or blocks(page_of(page), "sh") for page in PAGES)


ASKS_THE_SDK = """
import lakekey
from databricks.sdk import WorkspaceClient

workspace = WorkspaceClient(config=lakekey.sdk.config("prod"))
try:
    workspace.current_user.me()
except lakekey.LoginRequired as error:
    print(error.code)
"""


def test_an_error_of_ours_comes_out_of_the_sdk_as_the_page_says(box, unattended, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")  # an unattended run, and no service principal is configured
    assert processes.run(ASKS_THE_SDK) == "login_required"
