"""A worker of the soak: uses its header, finds that the token is dead, and takes a new one, until it is stopped.

A Ctrl-C ends what it is at, and it goes on, as a notebook does; a SIGTERM ends it in good order. It ends by itself,
and says so, when its session is over.
"""

import os
import random
import signal
import sys
import time
from typing import Any

import lakekey
from support.reports import report


def work(provider: lakekey.Provider, chance: random.Random) -> None:
    token = provider.token()
    # Mostly nothing is wrong; now and then a server refuses the token, and everybody who has it needs another.
    if chance.random() < 0.3:
        provider.invalidate(token.access_token)


def terminate(number: int, _: Any) -> None:
    raise SystemExit(0)


def main(seed: int) -> int:
    chance = random.Random(seed)
    signal.signal(signal.SIGTERM, terminate)
    provider = lakekey.provider()
    report("ready", pid=os.getpid())
    while True:
        try:
            work(provider, chance)
            time.sleep(chance.uniform(0, 0.02))  # a moment's other work
        except KeyboardInterrupt:
            continue
        except lakekey.LakekeyError as error:
            report("result", error=type(error).__name__, message=str(error))
            return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
