"""A process that asks for one header, and reports how that went.

With ``told`` among its arguments it reports that it is ready, and asks when it is told to; with ``again`` it asks
before, and then says that the token which it got is dead.
"""

import sys

import lakekey
from support.reports import outcome, report, wait_for_word


def main(told: bool, again: bool) -> None:
    provider = lakekey.provider()
    dead = provider.token().access_token if again else None
    if told:
        report("ready")
        wait_for_word()

    def ask() -> bool:
        if dead is not None:
            provider.invalidate(dead)
        return bool(provider.headers())

    report("result", **outcome(ask))


if __name__ == "__main__":
    main("told" in sys.argv, "again" in sys.argv)
