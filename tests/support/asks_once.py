"""A process that asks for one header, and reports how that went."""

import lakekey
from support.reports import outcome, report

if __name__ == "__main__":
    report("result", **outcome(lambda: bool(lakekey.provider().headers())))
