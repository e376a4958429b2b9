"""A process that has a token, is told that it was refused, and reports what it has then."""

import lakekey
from support.reports import outcome, report, wait_for_word


def _renewed(provider: lakekey.Provider, refused: str) -> str:
    provider.invalidate(refused)
    return provider.headers()["Authorization"]


if __name__ == "__main__":
    provider = lakekey.provider()
    header = provider.headers()["Authorization"]
    report("has", header=header)
    wait_for_word()
    report("result", **outcome(lambda: _renewed(provider, header.removeprefix("Bearer "))))
