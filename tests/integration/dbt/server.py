"""The sandbox with its Spark engine, in a process of its own: dbt's models need real Spark SQL.

Writes one JSON line with what a client needs; then answers each line of standard input with the counters.
"""

import json
import os
import sys

from lakekey.sandbox import Sandbox


def main():
    with Sandbox(engine="spark", token_lifetime=int(sys.argv[1])) as box:
        profiles = os.path.join(box.directory, "profiles")
        with open(profiles, "w") as file:
            file.write(f"[sandbox]\nhost = {box.host}\nhttp_path = {box.http_path}\nca_file = {box.ca_file}\n")
        facts = {
            "host": box.host,
            "http_path": box.http_path,
            "ca_file": box.ca_file,
            "profiles": profiles,
            "client_id": box.client_id,
            "client_secret": box.client_secret,
        }
        print(json.dumps(facts), flush=True)
        for _ in sys.stdin:
            print(json.dumps(box.counters), flush=True)


if __name__ == "__main__":
    main()
