"""The header lines of an answer that are read; all others are passed over.

`http.client` gives an answer up at its hundred-and-first header. By then the answer has come, and may hold the
successor of a refresh token that is spent.
"""

from typing import Any

# What `lakekey.oauth.transport` reads of an answer, and what says where its body ends (RFC 9112 §6).
_READ = frozenset({
    b"connection", b"content-encoding", b"content-length", b"content-type", b"date", b"keep-alive", b"location",
    b"proxy-authenticate", b"proxy-connection", b"retry-after", b"transfer-encoding", b"www-authenticate",
})  # fmt: skip
_MOST = 2000  # lines that are passed over; a header section that goes on is the library's to refuse


class HeaderLines:
    """A reader of an answer that leaves out the header lines which are not read.

    Args:
        reader: Where status lines and header lines come from.
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._begins = True
        self._folded_too = False
        self._passed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def readline(self, limit: int = -1) -> bytes:
        """The next line that is read; what ends the headers, or cannot be a header line, is the library's."""
        while True:
            line: bytes = self._reader.readline(limit)
            if self._begins or line in (b"\r\n", b"\n", b"") or not line.endswith(b"\n"):
                self._begins = line in (b"\r\n", b"\n")  # the status line of the answer behind an interim one follows
                return line
            if line[:1] not in (b" ", b"\t"):  # which goes on with the header before it (RFC 9112 §5.2)
                name, colon, _ = line.partition(b":")
                self._folded_too = not colon or name.strip().lower() in _READ
            if self._folded_too or self._passed == _MOST:
                return line
            self._passed += 1
