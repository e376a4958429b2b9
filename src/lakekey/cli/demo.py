"""``lakekey demo``: the main job on a local workspace."""

import argparse

from lakekey.cli.sandbox import require_sandbox


def demo(arguments: argparse.Namespace) -> int:
    """Show the main job; exit status 1 where something did not hold."""
    require_sandbox()
    from lakekey_sandbox.demo import run

    return run(browser=arguments.browser, as_json=arguments.json)
