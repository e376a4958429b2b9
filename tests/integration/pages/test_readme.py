"""What the README shows is what happens."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from support import processes
from support.terminal import Terminal

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
ADA = "ada@example.com"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def the_block(language, word):
    """The one block of a language that holds a word."""
    (found,) = [block for block in blocks(language) if word in block]
    return found


@pytest.fixture
def box(unnamed_workspace, tmp_path):
    """A machine with the README's own profiles, whose workspace is the sandbox."""
    box = unnamed_workspace
    here = {"host": box.host, "warehouse_id": box.warehouse_id, "client_id": box.client_id, "client_secret": box.client_secret}  # fmt: skip
    (profiles,) = blocks("ini")
    for name, value in here.items():
        profiles, times = re.subn(rf"^({name} *= ).*$", rf"\g<1>{value}", profiles, flags=re.MULTILINE)
        assert times
    (tmp_path / "databrickscfg").write_text(profiles)
    return box


def test_the_sql_example_prints_who_is_signed_in(box):
    assert processes.run(the_block("python", "lakekey.sql.connect")) == ADA


def test_the_sdk_example_prints_who_is_signed_in(box):
    assert processes.run(the_block("python", "WorkspaceClient")) == ADA


def test_the_provider_example_signs_the_service_principal_in(box):
    assert processes.run(the_block("python", "p.headers()")).startswith("oauth-m2m 2")
    assert box.counters["token.client_credentials"] == 1


def test_each_example_is_five_lines_and_each_is_run_here():
    examples = blocks("python")
    assert len(examples) == 3
    assert all(len(example.strip().splitlines()) <= 6 for example in examples)


def test_the_commands_run_as_they_stand(box):
    script = the_block("sh", "lakekey login")
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-ec", script], capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": path}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"Signed in to {box.host} as {ADA}." in done.stdout
    assert '"access_token"' in done.stdout
    assert f"Signed out of {box.host}." in done.stdout
    assert box.counters["logins"] == box.counters["token.requests"] == 1


def test_the_make_targets_and_extras_are_there():
    makefile, project = ((ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "pyproject.toml"))
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE):
        assert f"\n{target}:" in makefile
    listed = re.search(r"^The extras bring .*?\n\n", TEXT, re.DOTALL | re.MULTILINE).group()
    extras = re.findall(r"`(\w+)`", listed)
    assert {"sql", "sdk", "sandbox"} <= set(extras)
    for extra in extras:
        assert f"\n{extra} = [" in project


REPOSITORY = re.compile(
    r"https://(?:github\.com/lakekey/lakekey/blob|raw\.githubusercontent\.com/lakekey/lakekey)/main/([^)#]+)"
)


@pytest.mark.parametrize(
    "page", ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/explanation/design.md"]
)
def test_links_between_pages_lead_somewhere(page):
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    links = [path.parent / link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    links += [ROOT / link for link in REPOSITORY.findall(text)]
    assert [link for link in links if not link.exists()] == []


def test_the_readme_reads_the_same_on_a_package_index():
    """There, a relative link or picture leads nowhere."""
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 20
    assert [link for link in links if not link.startswith("https://")] == []


def test_the_projects_addresses_are_those_of_the_readme():
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    assert {"Source", "Documentation", "Changelog", "Issues"} <= set(urls)
    assert all(url.startswith("https://github.com/lakekey/lakekey") for url in urls.values())
    assert all((ROOT / link).exists() for url in urls.values() for link in REPOSITORY.findall(url))


def steps():
    """The commands of the README's first screen, each with the lines that it shows."""
    (shown,) = blocks("console")
    return [(step.split("\n")[0], step.split("\n")[1:]) for step in re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]]


def _replaced(text, values):
    for shown, real in values.items():
        text = text.replace(shown, real)
    return text


def test_the_first_row_comes_as_shown(lakekey_sandbox, bare_machine):
    box = lakekey_sandbox
    settings = {name: value for name, value in box.environment().items() if not name.startswith("DATABRICKS_")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEKEY_")}
    environment = {**kept, **settings, "HOME": str(bare_machine), "BROWSER": box.person().command(), "NO_COLOR": "1"}
    (install, _), *commands = steps()
    assert install == "pip install 'lakekey[sql]'"
    here = {re.search(r"^host *= (.*)$", TEXT, re.MULTILINE)[1]: box.host, "/home/ada": str(bare_machine)}
    for step in commands:
        command, *lines = (_replaced(text, here) for text in (step[0], *step[1]))
        with Terminal(*shlex.split(command)[1:], environment=environment, columns=300) as terminal:
            if "login" in command:
                terminal.shows("Cluster for Spark.*: $")  # the sandbox has one cluster; Enter chooses none
                terminal.types("")
            assert terminal.ends() == 0
        rest = iter(terminal.screen.splitlines())
        for line in (line.rstrip() for line in lines if line and line != "…"):
            assert line in (each.rstrip() for each in rest), (line, terminal.screen)


def test_without_a_name_the_default_profile_is_taken(box, tmp_path):
    (command,) = re.findall(r"`lakekey (profiles set-default prod)`", TEXT)
    assert processes.lakekey(*command.split()).returncode == 0
    assert processes.run("import lakekey; print(lakekey.provider().target.profile)") == "prod"
    assert processes.lakekey("profiles", "set-default", "nightly").returncode == 0
    assert processes.run("import lakekey; print(lakekey.provider().target.profile)") == "nightly"


@pytest.mark.parametrize("name", ["demo", "one-login", "status"])
def test_a_picture_is_svg_that_runs_and_loads_nothing(name):
    text = (ROOT / f"docs/pictures/{name}.svg").read_text(encoding="utf-8")
    picture = ET.fromstring(text)
    tags = {each.tag.rpartition("}")[2] for each in picture.iter()}
    assert tags <= {
        "svg",
        "title",
        "style",
        "rect",
        "g",
        "text",
        "tspan",
        "set",
        "animateTransform",
        "path",
        "defs",
        "marker",
    }
    assert re.findall(r"""(?:href|src)=|url\((?!#)|@import""", text) == []
    assert 'dur="0.00s"' not in text  # which is no length, so that a line would be hidden for ever


def test_picture_of_status_shows_the_table_of_today(tmp_path):
    """`make docs-pictures` draws it again; the times in it are those of that day."""
    drawn = tmp_path / "status.svg"
    subprocess.run([sys.executable, ROOT / "docs/status.py", drawn], check=True, timeout=60)

    def words(picture):
        text = re.sub(r"<[^>]+>", "", Path(picture).read_text(encoding="utf-8"))
        text = re.sub(r"ends (?:\d+:\d+|\d+ [A-Z]\w+|\w+)|in \d+ \w+|\b[0-9a-f]{12}\b", "", text)
        return re.sub(r"[ \u00a0]+", " ", text)  # a column is as wide as the day's name is long

    assert words(drawn) == words(ROOT / "docs/pictures/status.svg")
    assert 'dur="0.00s"' not in drawn.read_text(encoding="utf-8")


def test_the_recording_shows_the_demo_of_today():
    """Its steps are those of the program, in their order; `make docs-pictures` records it again."""
    recorded = (ROOT / "docs/pictures/demo.svg").read_text(encoding="utf-8")
    source = (ROOT / "packages/lakekey-sandbox/src/lakekey_sandbox/demo.py").read_text(encoding="utf-8")
    titles = re.findall(r'tell\.step\("(.*)"\)', source)
    assert len(titles) == 7
    assert re.findall(r">\d\. (.*?)</text>", recorded) == titles
    assert "Everything held." in recorded
