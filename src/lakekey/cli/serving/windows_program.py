"""``lakekey auth path`` on Windows: ``lakekey.exe`` again, under another name and as large as the SDKs want it.

Installers make ``lakekey.exe`` of a launcher, which knows the Python, and a ZIP archive with the script behind it. The
same launcher with another archive is the program, so it needs no shell, which would read arguments in its own way.
"""

import contextlib
import io
import os
import sys
import sysconfig
import zipfile

from lakekey.errors import ConfigurationError

_SCRIPT = "from lakekey.cli import run; run(as_databricks=True)\n"
_END, _END_SIZE = b"PK\5\6", 22  # of an archive's last record, which a comment follows


def content(least: int) -> bytes:
    """The program.

    Args:
        least: The size that it is to have at least.

    Raises:
        ConfigurationError: This installation of lakekey has no launcher.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(zipfile.ZipInfo("__main__.py"), _SCRIPT)
        made.writestr(zipfile.ZipInfo("size"), bytes(least))
    return _launcher() + archive.getvalue()


def _launcher() -> bytes:
    path = sys.argv[0].removesuffix(".exe") + ".exe"
    if os.path.basename(path).lower() != "lakekey.exe" or not os.path.isfile(path):
        path = os.path.join(sysconfig.get_path("scripts"), "lakekey.exe")
    with contextlib.suppress(OSError, ValueError, zipfile.BadZipFile):
        with open(path, "rb") as file:
            found = file.read()
        with zipfile.ZipFile(io.BytesIO(found)) as archive:
            begins = min(each.header_offset for each in archive.infolist())
            ends = found.rindex(_END) + _END_SIZE + len(archive.comment)
        # Some launchers look behind the archive for where their Python is, and that would be lost.
        if ends == len(found):
            return found[:begins]
    raise ConfigurationError(
        f"{path} was not installed by pip, so databricks.exe cannot be made from it",
        hint="serve the SDKs with: lakekey serve (docs/guides/other-languages.md)",
    )
