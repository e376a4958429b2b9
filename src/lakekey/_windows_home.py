"""Where the profile of an account of Windows lies, for a service or a task that is not told it by ``USERPROFILE``."""

import sys

if sys.platform == "win32":
    import ctypes

    _PROFILE = 0x28  # CSIDL_PROFILE
    _LONGEST = 260

    def home() -> str:
        """The directory, as Windows knows it; ``~`` where it knows none."""
        found = ctypes.create_unicode_buffer(_LONGEST)
        failed = ctypes.WinDLL("shell32").SHGetFolderPathW(None, _PROFILE, None, 0, found)
        return "~" if failed else found.value
