"""The same program, as oneself while it is developed and as the service principal on a schedule.

On a laptop, ``python development_and_production.py`` signs in the person who sits there. The schedule sets one
variable, ``DATABRICKS_CONFIG_PROFILE=nightly``, and nothing in the program changes. If a schedule forgets it, a
warning says so, and no browser opens.
"""

import logging
import os

import lakekey

logging.basicConfig(level=logging.INFO, format="%(message)s")  # lakekey says in one line who a schedule runs as

profile = os.environ.get("DATABRICKS_CONFIG_PROFILE", "prod")
with lakekey.sql.connect(profile) as connection, connection.cursor() as cursor:
    cursor.execute("select current_user() as me")
    print(f"{profile} runs as {cursor.fetchone().me}")
