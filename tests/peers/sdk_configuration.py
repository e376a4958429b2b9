"""Compares the configurations of databricks-sdk's own tests with what lakekey makes of them.

    python tests/peers/sdk_configuration.py CHECKOUT [--all | --without] [pytest's arguments]

CHECKOUT is a checkout of databricks-sdk-py. Its configuration tests are run with this interpreter's installed release.
For each `Config` that one of them makes, lakekey is asked with the same arguments, in the same environment and home.
Nothing is fetched; the suite wants pytest-mock, requests-mock and
pyfakefs beside lakekey[sdk]. It prints how many are alike, how many differ by a documented departure
(docs/reference/configuration.md) and the others one by one; with --all, the departures, too. With --without,
the suite runs alone: its failures are to be the same. Status 1: one differs
that no departure explains.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

FILES = (
    "test_auth.py", "test_auth_manual_tests.py", "test_auth_profiles.py", "test_config.py", "test_core.py", "test_client.py",
    "test_credentials_provider.py", "test_custom_headers.py", "test_default_profile.py", "test_environments.py",
    "test_metadata_service_auth.py", "test_misc.py", "test_model_serving_auth.py", "test_notebook_oauth.py",
    "test_oauth.py", "test_oidc.py", "test_oidc_token_supplier.py", "test_refreshable.py", "test_user_agent.py",
)  # fmt: skip
COMPARED = ("host", "auth_type", "client_id", "account_id", "workspace_id", "cluster_id", "warehouse_id")
DEFAULT_CLIENT = "databricks-cli"
# What the first request to the host tells, which the SDK makes at once.
TOLD_BY_THE_HOST = {"account_id", "workspace_id"}


class Compare:
    """Asks lakekey whenever the suite makes a configuration.

    Attributes:
        cases: What was found: the test, the arguments, what the SDK made of them, and what lakekey did.
    """

    def __init__(self):
        self.cases = []

    def pytest_configure(self):
        from databricks.sdk.config import Config

        made, suite = Config.__init__, self

        def init(config, **given):
            ours = _ask(given)
            try:
                made(config, **given)
            except Exception as error:
                suite.cases.append((_test(), given, error, ours))
                raise
            suite.cases.append((_test(), given, _facts(config), ours))

        Config.__init__ = init


def _test():
    return os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]


def _ask(given):
    """What lakekey makes of the SDK's arguments; ``None`` where it cannot be asked."""
    import lakekey
    from lakekey.configuration.settings import SETTINGS

    if given.get("credentials_strategy") or given.get("credentials_provider") or ... in given.values():
        return None
    known = {name: value for name, value in given.items() if value is not None and name in (*SETTINGS, "config_file")}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _facts(lakekey.provider(given.get("profile"), **known).target)
    except lakekey.LakekeyError as error:
        return error


def _facts(source):
    return {name: getattr(source, name, None) or None for name in COMPARED}


def judge(theirs, ours):
    """``alike``, ``not comparable``, the departure that explains the difference, or ``not explained``."""
    if ours is None:
        return "not comparable: the test brings a strategy of its own, or no value"
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        return _judge_refusal(theirs, ours)
    return _judge_difference(_differing(theirs, ours), theirs, ours)


def _differing(theirs, ours):
    differing = {name for name in COMPARED if theirs[name] != ours[name]}
    if theirs["auth_type"] is None:
        differing -= {"auth_type", "client_id"}  # the test keeps the SDK from choosing
    if ours["client_id"] == DEFAULT_CLIENT and theirs["client_id"] is None:
        differing -= {"client_id"}  # the SDK's own default as well, which its strategy knows and its Config does not
    if _one_form(theirs["host"]) == ours["host"]:
        differing -= {"host"}  # 10, with nothing else that differs
    return differing


def _judge_difference(differing, theirs, ours):
    by = theirs["auth_type"]
    reasons = {
        "alike": not differing,
        "known with the first request: what the host tells of account and workspace": differing <= TOLD_BY_THE_HOST
        and not any(ours[name] for name in differing),
        "2: tokens and passwords only where they are named": by in ("pat", "basic"),
        "3: a person's login with another tool only where it is named": by in ("azure-cli", "databricks-cli")
        and ours["auth_type"] == "external-browser",
        "3: a notebook's identity only at the notebook's own workspace": by in ("runtime", "runtime-oauth")
        and ours["auth_type"] == "external-browser",
    }
    return next((why for why, holds in reasons.items() if holds), "not explained")


def _one_form(host):
    address = urlsplit(host if "://" in str(host) else f"https://{host}")
    return f"{address.scheme}://{address.netloc}".lower()


def _judge_refusal(theirs, ours):
    if isinstance(theirs, Exception) and isinstance(ours, Exception):
        return "alike: both refuse"
    if isinstance(ours, Exception):
        reasons = {
            "JWT": "a source of identity tokens that is broken is an error",
            "identity token": "a source of identity tokens that is broken is an error",
            "is empty": "9: blank is an error in arguments",
            "scopes": "9: an empty list of scopes is an error",
            "is missing": "6: what a named grant lacks is said at once",
            "which azure-devops-oidc needs": "6: what a named grant lacks is said at once",
        }
        return next((why for part, why in reasons.items() if part in str(ours)), "not explained")
    if "more than one authorization method" in str(theirs):
        return "2: credentials of several kinds are not an error"
    if "account_id is required to resolve discovery_url from host metadata" in str(theirs):
        return "a host of several accounts without account_id: said with the first request"
    if ours["auth_type"] == "external-browser":
        return "3: where nothing is configured that signs in, a person does"
    return "not explained"


def run(folder, arguments):
    """Runs the suite in this process and prints what was found; gives the exit status."""
    show_all, alone = "--all" in arguments, "--without" in arguments
    compare = Compare()
    options = ["--rootdir", folder, "-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "ignore"]
    options += ["-p", "no:lakekey_sandbox", "-q", "--no-header"]
    chosen = [it for it in arguments if not it.startswith("-")]
    chosen = chosen or [f"{folder}/tests/{name}" for name in FILES if os.path.exists(f"{folder}/tests/{name}")]
    flags = [it for it in arguments if it.startswith("-") and it not in ("--all", "--without")]
    status = pytest.main([*options, *flags, *chosen], plugins=[] if alone else [compare])
    if alone:
        return status
    verdicts = Counter()
    for test, given, theirs, ours in compare.cases:
        verdict = judge(theirs, ours)
        verdicts[verdict] += 1
        if verdict == "not explained" or (show_all and verdict != "alike"):
            print(f"\n{verdict}: {test}\n  arguments: {sorted(given)}\n  SDK:     {theirs!r}\n  lakekey: {ours!r}")
    print(f"\n{len(compare.cases)} configurations compared:")
    for verdict, number in verdicts.most_common():
        print(f"{number:5}  {verdict}")
    return 1 if verdicts["not explained"] or not compare.cases else 0


def main():
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "tests" / "test_config.py").is_file():
        sys.exit(__doc__)
    if "LAKEKEY_PEER_DIRECTORY" in os.environ:
        sys.exit(run(os.environ["LAKEKEY_PEER_DIRECTORY"], sys.argv[2:]))
    with tempfile.TemporaryDirectory() as folder:
        # The tests alone: beside them lies the source of the SDK, which is not the release that is installed.
        shutil.copytree(Path(sys.argv[1]) / "tests", Path(folder) / "tests")
        foreign = ("LAKEKEY_", "DATABRICKS_", "ARM_", "GOOGLE_")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        environ |= {"LAKEKEY_PEER_DIRECTORY": folder, "LAKEKEY_STORE": "memory:", "HOME": folder}
        again = [sys.executable, "-P", os.path.abspath(__file__), os.path.abspath(sys.argv[1]), *sys.argv[2:]]
        sys.exit(subprocess.run(again, cwd=folder, env=environ, check=False).returncode)


if __name__ == "__main__":
    main()
