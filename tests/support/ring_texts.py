"""Two keys of a ring as configuration has them, their names in entries, and a passphrase."""

import base64

from lakekey.cache.keys.ring import key_id

ONE, TWO = (base64.b64encode(letter * 32).decode() for letter in (b"1", b"2"))
ID_OF_ONE, ID_OF_TWO = (key_id(letter * 32).hex() for letter in (b"1", b"2"))
PASSPHRASE = "correct horse battery staple"
