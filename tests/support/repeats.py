"""Writes down which tests were run once more, into the file that the noxfile names, which counts them."""

import os


def pytest_terminal_summary(terminalreporter):
    """At the end of a run; of several workers, only in the process that leads them."""
    place = os.environ.get("LAKEKEY_REPEATED")
    again = {report.nodeid for report in terminalreporter.stats.get("rerun", [])}
    if place and again and not hasattr(terminalreporter.config, "workerinput"):
        with open(place, "a", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in sorted(again))
