"""The parts of the tests, their environments, their order and their repeats: ``make test``, ``make test-<part>``.

`all` runs three parts at a time: the main one, which is the longest, by three workers, and beside it two of the others.
Those are five processes for two processors: each waits for servers, programs and clocks about half of its time. A part
that fails keeps none of the others from being run, and fails the whole.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "requirements"))

from install import current, environment, install  # noqa: E402

nox.options.default_venv_backend = "none"  # environments are pinned by hash: requirements/install.py
nox.options.sessions = ["all"]

FIRST = "main"
#: The longest first. A new part is a session of its name, and a place in this line.
OTHERS = ("windows", "dbt", "spark", "wheel", "airflow", "connectors", "versions", "site")
AT_ONCE = 3
WORKERS = 3  # of the main part
#: How many tests and parts may be run once more, in all, before the run fails; none where it is not set.
ALLOWED = "LAKEKEY_REPEATS"
#: Where those are written down that were run once more.
REPEATED = "LAKEKEY_REPEATED"

#: For the JVMs that the tests start: each lives for minutes only, in which Java's second compiler and its parallel
#: collector take more of the processor than they give back.
SHORT_LIVED_JVM = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}

#: What the programs that the tests start would else compile each time, where Python is told to write no bytecode: a
#: third of their work.
COMPILED = ("src", "packages", "tests/support")
#: For the parts with environments of their own. Most of what is installed there is never imported, so what is imported
#: is compiled then, also where Python is told to write no bytecode.
COMPILES_IMPORTS = {"PYTHONDONTWRITEBYTECODE": ""}

#: How pytest exits that found no test.
NO_TESTS = 5

TOOLS = ROOT / ".venv"
PROJECTS = (".", "packages/lakekey-sandbox")
OLD_CONNECTORS = ("4.1.1", "4.4.0")
# pyspark 3.5 uses what Python is about to drop, and leaves files open.
SPARK35_LEAVES = ("DeprecationWarning", "ResourceWarning", "pytest.PytestUnraisableExceptionWarning")


@nox.session(name="all")
def everything(session):
    """Every part; arguments are for the pytest of the first."""
    allowed = int(os.environ.get(ALLOWED) or 0)
    nox_itself = [sys.executable, "-m", "nox", "--noxfile", __file__, "--session"]
    arguments = {FIRST: session.posargs}
    if not run_parts(FIRST, OTHERS, lambda part: [*nox_itself, part, "--", *arguments.get(part, ())], allowed):
        session.error("not every part passed")


def run_parts(first, others, command, allowed=0):
    """Runs the first part and the others; whether all passed, and no more than allowed needed a second run.

    With repeats allowed, a part that fails is run once more. The first part sees to that itself, test by test, and
    writes them into the file that `REPEATED` names.
    """
    with tempfile.TemporaryDirectory() as directory:
        repeated = Path(directory) / "repeated"
        repeated.touch()
        environ = {**os.environ, REPEATED: str(repeated)} if allowed else None

        def passes(part):
            begun = time.monotonic()
            failed, worked = run_metered(command(part), environ)
            if failed and allowed and part != first:
                print(f"{part} failed: once more", flush=True)
                with repeated.open("a") as file:
                    file.write(f"{part}\n")
                failed, more = run_metered(command(part), environ)
                worked += more
            took = f"{time.monotonic() - begun:.0f} s, {worked:.0f} s of a processor"
            print(f"{part} {'failed' if failed else 'passed'} after {took}", flush=True)
            return not failed

        with ThreadPoolExecutor(AT_ONCE) as workers:
            fine = all(list(workers.map(passes, (first, *others))))
        again = repeated.read_text().split("\n")[:-1]
    if again:
        print(f"run once more: {len(again)}, allowed: {allowed}", *again, sep="\n  ", flush=True)
    return fine and len(again) <= allowed


def run_metered(command, environ):
    """Runs a command; its exit status, and the seconds of a processor that it and what it waited for have taken."""
    with subprocess.Popen(command, env=environ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


@nox.session
def main(session):
    """What the newest of everything runs: pyproject.toml lists the folders."""
    system_packages(session)
    oauth_server(session)
    in_ci = ("--reruns", "1", "-raR", "--durations", "30") if REPEATED in os.environ else ()
    pytest(session, python(), "-n", str(WORKERS), *in_ci)


@nox.session
def spark(session):
    """Spark Connect: the newest pyspark with its server, and the client of 3.5 against that server."""
    # pyspark is large and wants an older pandas, so it has environments of its own.
    system_packages(session)
    newest, older = environment_of("spark"), environment_of("spark35")
    folder = "tests/integration/spark"
    warehouse = f"{folder}/test_spark_warehouse.py"
    environ = {**COMPILES_IMPORTS, **SHORT_LIVED_JVM}
    pytest(session, newest, "--timeout", "300", folder, f"--ignore={warehouse}", env=environ)
    pytest(session, newest, "--timeout", "300", warehouse, env=environ)
    passed_over = [option for name in SPARK35_LEAVES for option in ("-W", f"ignore::{name}")]
    server = {"SPARK_SERVER_PYTHON": newest, **environ}
    pytest(session, older, "--timeout", "300", f"{folder}/any_client", *passed_over, env=server)


@nox.session
def connectors(session):
    """What the SQL adapter promises holds for the older connectors that people run, too."""
    # They leave sockets to the garbage collector, which is theirs to answer for.
    passed_over = ("-W", "ignore::pytest.PytestUnraisableExceptionWarning")
    for release in OLD_CONNECTORS:
        here = environment_of(f"connector-{release}")
        names = ("test_sql_connector", "test_sql_bystanders", "test_sql_lost_answers")
        tests = [f"tests/integration/connectors/{name}.py" for name in names]
        pytest(session, here, *passed_over, *tests, env=COMPILES_IMPORTS)


@nox.session
def dbt(session):
    """Profiles of dbt in an environment of its own, against the sandbox's Spark engine in another."""
    system_packages(session)
    environment_of("spark")
    environment_of("dbt", *PROJECTS, "packages/dbt-lakekey")
    pytest(session, python(), "tests/integration/dbt", env={**COMPILES_IMPORTS, **SHORT_LIVED_JVM})


@nox.session
def airflow(session):
    """Airflow, which pins too much to share an environment: its whole service, on loopback, against the sandbox."""
    system_packages(session)
    pytest(session, environment_of("airflow"), "tests/integration/airflow", env=COMPILES_IMPORTS)


@nox.session
def versions(session):
    """The lowest releases of the dependencies that are allowed, and the newest on each Python that is here."""
    session.run(python(), "tests/versions/run.py", *session.posargs)


@nox.session
def wheel(session):
    """What users install: the wheels, in an environment of their own, with the source out of sight.

    That the wheels hold the source byte for byte is tested, so what the code does is not tested here again but for the
    README's own lines. Other folders are run against the wheels where they are named: PYTEST_ARGS.
    """
    wheels = ROOT / "build" / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    for project in PROJECTS:
        with session.chdir(ROOT / project):
            session.run(python(), "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels))
    here = environment_of("wheel", listed="requirements/dev.txt")
    ours = ["--force-reinstall", *map(str, wheels.glob("*.whl"))]
    install(str(ROOT / ".venvs/wheel"), ours)
    tests = ["tests/integration/wheel", "tests/integration/pages/test_readme.py", "tests/typing"]
    pytest(session, here, *tests, env=COMPILES_IMPORTS)


@nox.session
def site(session):
    """The site of the documentation, in a browser."""
    system_packages(session)
    environment_of("docs")
    pytest(session, python(), "tests/integration/site", env=COMPILES_IMPORTS)


@nox.session
def windows(session):
    """CPython for Windows, run by Wine: unit tests there, and programs there against servers here.

    Without Wine it is skipped, unless LAKEKEY_REQUIRE_ALL is set. Arguments are for both: ``-k`` may leave one of them
    without a test, but not both, and tests that are named are run by the one that they belong to.
    """
    if not shutil.which("wine") and not apt_get(session, "wine", "wine64"):
        if "LAKEKEY_REQUIRE_ALL" in os.environ:
            session.error("Wine is not installed")
        session.skip("Wine is not installed")
    made_from = [ROOT / "tests/windows" / name for name in ("set_up.py", "forwarding_dll.py")]
    made_from += sorted((ROOT / "requirements").glob("windows*.txt"))
    with current(str(ROOT / ".venvs/windows"), made_from) as fresh:
        if not fresh:
            session.run(python(), "tests/windows/set_up.py")
    oauth_server(session)
    named = [argument for argument in session.posargs if argument.startswith("tests/")]
    here = [argument for argument in named if argument.startswith("tests/windows")]
    found = []
    if not here:
        native = [python(), "tests/windows/run_native.py", *session.posargs]
        found.append(finds_tests(lambda: session.run(*native)))
    if here or not named:
        found.append(finds_tests(lambda: pytest(session, python(), *([] if named else ["tests/windows"]))))
    if not (any if session.posargs else all)(found):
        session.error("no test was found")


@nox.session
def mutants(session):
    """Breaks lines of the source one at a time, and reports the breaks that no test notices."""
    oauth_server(session)
    session.run(python(), "tests/mutation/break_lines.py", *session.posargs)


@nox.session
def docs(session):
    """The site of the documentation, in build/docs; ``--releases`` adds each tagged release."""
    session.run(environment_of("docs"), "docs/build.py", *session.posargs)


@nox.session(name="docs-pictures")
def docs_pictures(session):
    """The pictures that programs draw: the screenshots of the pages, and the recording of the demo."""
    system_packages(session)
    pages = ("tests/integration/login/test_login_chromium.py", "tests/integration/web/test_portal_chromium.py")
    pytest(session, python(), "-q", *pages, env={"LAKEKEY_SCREENSHOTS": "1"})
    demo = (str(TOOLS / "bin/lakekey"), "demo", "--no-browser")
    session.run(python(), "docs/record.py", "docs/pictures/demo.svg", *demo)
    session.run(python(), "docs/status.py", "docs/pictures/status.svg")


@nox.session
def bench(session):
    """Our numbers beside our peers', which live in an environment of their own; ``--docs`` puts them into docs/.

    Other arguments are names of benchmarks; without any, all are run.
    """
    system_packages(session)
    here = environment_of("bench")
    names = [argument for argument in session.posargs if argument != "--docs"]
    session.run(here, "benchmarks/run.py", "--json", "build/bench.json", *names)
    if "--docs" in session.posargs:
        session.run(here, "benchmarks/plot.py", "build/bench.json")


@nox.session(name="bench-spark")
def bench_spark(session):
    """One call of Spark Connect through nginx, signed in by lakekey and by hand."""
    system_packages(session)
    session.run(environment_of("spark"), "benchmarks/spark_rpc.py")


@nox.session
def lock(session):
    """Pins every list again: names, versions and hashes, no addresses."""
    pin = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-package", "lakekey"]
    pin += ["--no-emit-package", "lakekey-sandbox", "--override", "requirements/overrides.txt"]
    everywhere = ["--universal", "--python-version", "3.11"]
    on_windows = ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", "3.13"]
    on_windows += ["--override", "requirements/windows-overrides.txt"]
    lists = {f"requirements/{path.stem}.txt": str(path) for path in sorted((ROOT / "requirements").glob("*.in"))}
    for listed, source in {"requirements/dev.txt": "pyproject.toml", **lists}.items():
        place = on_windows if listed.startswith("requirements/windows") else everywhere
        extra = ["--extra", "dev"] if source == "pyproject.toml" else []
        session.run(str(TOOLS / "bin/uv"), "pip", "compile", "--quiet", *place, *pin, source, *extra, "-o", listed)


def python(name=None):
    """The Python of an environment; without a name, of the one that the tools are in."""
    return str((ROOT / ".venvs" / name if name else TOOLS) / "bin" / "python")


def environment_of(name, *projects, listed=None):
    """Makes an environment by its list, with lakekey and its sandbox in it as they are here; its Python."""
    own = () if listed else projects or PROJECTS
    environment(str(ROOT / ".venvs" / name), listed or f"requirements/{name}.txt", own)
    return python(name)


def pytest(session, interpreter, *arguments, **options):
    """Runs pytest, with the arguments that the session was given last, once our bytecode is written."""
    subprocess.run([interpreter, "-m", "compileall", "-q", *COMPILED], cwd=ROOT, check=True)
    session.run(interpreter, "-m", "pytest", *arguments, *session.posargs, **options)


def finds_tests(run):
    """Runs tests; whether there were any. What else goes wrong is raised."""
    try:
        run()
    except CommandFailed as failed:
        if failed.return_code != NO_TESTS:
            raise
        return False
    return True


def oauth_server(session):
    """Installs the certified OAuth server of the tests."""
    install_it = "from support.node_packages import ensure_installed; ensure_installed()"
    session.run(python(), "-c", install_it, env={"PYTHONPATH": "tests"})


def system_packages(session):
    """Installs the programs that the tests run against, where that is possible; tests without theirs are skipped."""
    listed = (ROOT / "requirements/system.txt").read_text().splitlines()
    wanted = [line for line in listed if line and not line.startswith("#")]
    known = shutil.which("dpkg") and subprocess.run(["dpkg", "-s", *wanted], capture_output=True, check=False)
    if not (known and known.returncode == 0) and not apt_get(session, *wanted):
        session.warn(f"for all tests, install: {' '.join(wanted)}")


def apt_get(session, *packages):
    """Installs packages of the distribution; whether that was possible."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    with current(str(ROOT / ".venvs"), [], *packages):
        session.run("apt-get", "update", "-qq")
        quietly = {"DEBIAN_FRONTEND": "noninteractive"}
        session.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=quietly)
    return True
