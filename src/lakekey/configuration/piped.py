"""Profiles from a pipe, such as a shell's ``<(command)``: read once, and remembered for the process."""

import os
import time

from lakekey._imports import LOADING

_PATIENCE = 10.0  # seconds that the writer has
_read: dict[tuple[int, int], bytes] = {}


def content_of(descriptor: int, status: os.stat_result, most: int, *, patience: float = _PATIENCE) -> bytes:
    """What a pipe holds.

    Args:
        descriptor: The pipe, opened without blocking.
        status: Its status, which tells it from others.
        most: Bytes that are read at most, and one more.
        patience: Seconds that its writer has.

    Raises:
        OSError: Its writer takes too long.
    """
    pipe = status.st_dev, status.st_ino
    if pipe in _read:
        return _read[pipe]
    with LOADING:
        import select

    content, deadline = b"", time.monotonic() + patience
    while len(content) <= most:
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError(0, f"nothing came through this pipe in {patience:g} s")
        chunk = os.read(descriptor, most + 1)
        if not chunk:
            break
        content += chunk
    if content:
        _read[pipe] = content
    return content
