"""Standard output that cannot be written to: what to do depends on the reason."""

import errno
import io
import os

import pytest

from lakekey.cli.streams import OutputFailed, _Checked


@pytest.mark.parametrize(
    ("number", "to"),
    [
        (errno.ENOSPC, "on a disk with free space"),
        (errno.EDQUOT, "on a disk with free space"),
        (errno.EBADF, "that can be written to"),
        (errno.EIO, "that can be written to"),
    ],
)
def test_free_space_is_advised_only_where_there_is_none(number, to):
    class Failing(io.FileIO):
        def write(self, data):
            raise OSError(number, os.strerror(number))

    class Output(_Checked, Failing):
        pass

    with Output(os.devnull, "w") as output, pytest.raises(OutputFailed) as caught:
        output.write(b"x")
    assert caught.value.message == f"standard output cannot be written to: {os.strerror(number)}"
    assert caught.value.hint == f"redirect it to a file {to}"
