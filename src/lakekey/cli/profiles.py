"""``lakekey profiles``: what is configured."""

import argparse
import os
from typing import Any

from lakekey.cli.output import print_json, print_step, print_table, print_text
from lakekey.configuration import databrickscfg
from lakekey.configuration.target import resolve
from lakekey.errors import LakekeyError


def profiles(arguments: argparse.Namespace) -> int:
    """List the profiles of the file, each as it resolves by itself."""
    path = databrickscfg.location(arguments.config_file or os.environ.get("DATABRICKS_CONFIG_FILE", "").strip())
    found, default = databrickscfg.profiles(path)
    wanted, names = getattr(arguments, "profile", None), [str(profile.name) for profile in found]
    if wanted is not None and wanted not in names:
        raise databrickscfg.no_such_profile(path, wanted, names)
    found = [profile for profile in found if wanted in (None, profile.name)]
    chosen = os.environ.get("DATABRICKS_CONFIG_PROFILE", "").strip() or default
    facts = [_facts(str(profile.name), path, default=profile.name == chosen) for profile in found]
    if arguments.json:
        print_json({"config_file": path, "profiles": facts})
        return 0
    if not facts:
        print_step(f"There are no profiles in {path}. Create one with:", "lakekey login NAME --host https://…")
        return 0
    rows = [
        (
            ("* " if fact["default"] else "  ") + fact["profile"],
            fact["host"] or "",
            fact["auth_type"] or "",
            fact["compute"] or "",
            fact["problem"] or fact["identity"] or "",
        )
        for fact in facts
    ]
    print_table(("  PROFILE", "HOST", "GRANT", "COMPUTE", "IDENTITY"), rows)
    print()
    print_text(f"Read from {path}." + (" * is used if none is named." if chosen else ""))
    return 0


def _facts(name: str, path: str, *, default: bool) -> dict[str, Any]:
    # By itself: what a variable overrides in this shell is doctor's matter.
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("DATABRICKS_", "ARM_"))}
    fact: dict[str, Any] = {"profile": name, "default": default, "host": None, "auth_type": None}
    fact.update(identity=None, compute=None, problem=None)
    try:
        target = resolve(name, environ, config_file=path)
    except LakekeyError as error:  # also of a store that is away, which may keep the profile's client secret
        fact["problem"] = f"{error.message} ({error.hint})" if error.hint else error.message
        return fact
    compute = []
    if target.warehouse_id or (target.http_path and not target.cluster_id):
        compute.append(f"warehouse {target.warehouse_id or target.http_path}")
    if target.cluster_id:
        compute.append(f"cluster {target.cluster_id}")
    if target.serverless_compute_id:
        compute.append("serverless")
    person = target.user or "the person who signs in"
    fact.update(
        host=target.host,
        auth_type=target.auth_type,
        identity=person if target.is_person else (target.client_id or target.subject),
        compute=", ".join(compute) or None,
    )
    return fact
