"""A sub-interpreter cannot load the cipher: it gets an error of ours that says so."""

import subprocess
import sys

CODE = """
import sys, lakekey
lakekey.provider(host="https://dev.cloud.databricks.com", client_id="id", client_secret="a secret").identity()
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
interpreters.run_string(interpreters.create(), '''
import lakekey
try:
    lakekey.provider(host="https://dev.cloud.databricks.com", client_id="id", client_secret="a secret").headers()
except lakekey.LakekeyError as error:
    print(type(error).__name__, error)
''')
"""


def test_a_sub_interpreter_gets_an_error_of_ours(bare_machine):
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("CacheError the cipher of the cache cannot be loaded"), done
