"""The sealed token cache: entries, their envelope, the keys that seal them, and the store that keeps them.

Reading order: `entry` (what is kept), `envelope` (how it is sealed), `keys` (with what), `stores` (where),
`cache` (the four put together).
"""
