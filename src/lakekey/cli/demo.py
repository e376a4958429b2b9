"""``lakekey demo``: the main job on a local workspace; ``--web``: hosted sign-in."""

import argparse
import os

from lakekey.cli.sandbox import require_sandbox


def demo(arguments: argparse.Namespace) -> int:
    """Show the main job; exit status 1 where something did not hold."""
    require_sandbox()
    os.getcwd()  # where its programs start: one that is gone is an error now, and not in the midst of it
    if arguments.web:
        from lakekey.cli.web import require_web

        require_web()
        from lakekey_sandbox.demo_web import run_web

        return run_web(stay=None if arguments.browser is None else arguments.browser, as_json=arguments.json)
    from lakekey_sandbox.demo import run

    return run(browser=arguments.browser, as_json=arguments.json)
