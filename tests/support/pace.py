"""How much longer tests wait where a start of Python takes seconds: Wine runs those of Windows."""

import os

SLOWER = 1 if os.name == "posix" else 10
