"""Letting a person sign in, wherever that person sits.

Reading order: `person` (the sign-in as a whole), `redirect` (where the answer comes to), `browser` (opening one),
`paste` (where no browser of this machine can bring the answer), `preflight` (what is wrong with a custom app).
"""

from lakekey.login.person import PersonSignIn

__all__ = ["PersonSignIn"]
