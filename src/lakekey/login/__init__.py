"""Signing a person in, on a laptop, over SSH, in a container or a notebook.

Reading order: `sign_in` (the sign-in as a whole), `redirect` (the address that the answer comes to), `listener` and
`callback` (receiving it), `browser` (opening one), `paste` (if no browser of this machine can bring the answer),
`preflight` (what is wrong with a custom app).
"""
