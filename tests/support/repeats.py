"""Writes down which tests were run once more, into the file that the noxfile names, which counts them, and shows why."""

import os


def pytest_terminal_summary(terminalreporter):
    """At the end of a run; of several workers, only in the process that leads them."""
    place = os.environ.get("LAKEKEY_REPEATED")
    reports = terminalreporter.stats.get("rerun", [])
    if reports and not hasattr(terminalreporter.config, "workerinput"):
        if place:
            with open(place, "a", encoding="utf-8") as file:
                file.writelines(f"{name}\n" for name in sorted({report.nodeid for report in reports}))
        for report in reports:  # a test that fails on one run of many is not seen failing again soon
            terminalreporter.section(f"run once more: {report.nodeid} ({report.duration:.1f} s)")
            terminalreporter.write_line(report.longreprtext)
