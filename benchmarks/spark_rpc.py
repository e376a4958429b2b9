"""What a signed RPC costs over pyspark's own static token: latency of Spark Connect's Config RPC over TLS.

Four channels take turns, call by call, so that the machine's noise falls on all alike. Run by ``make bench-spark``.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
CALLS = 3000


def main() -> None:
    """Measure and print the table."""
    from lakekey.sandbox import Sandbox
    from support.servers.spark_front import SparkFront
    from support.servers.spark_server import SparkServer

    with tempfile.TemporaryDirectory() as name:
        places = [Path(name) / part for part in ("spark", "front", "cache")]
        for place in places:
            place.mkdir(mode=0o700)
        os.environ |= {"LAKEKEY_CACHE_DIR": str(places[2]), "LAKEKEY_KEY_SOURCE": "file"}
        with (
            Sandbox() as box,
            SparkServer(places[0]) as server,
            SparkFront(places[1], workspace=box.host, spark_port=server.port) as front,
        ):
            os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = front.ca_file
            measure(box, front)


def measure(box, front) -> None:
    """Call through each channel in turn."""
    import grpc
    from pyspark.sql.connect.client import DefaultChannelBuilder, SparkConnectClient

    import lakekey

    provider = lakekey.provider(
        host=front.host, client_id=box.client_id, client_secret=box.client_secret, ca_file=front.ca_file
    )
    token = provider.token().access_token
    url = front.url(front.open)

    class PerCallCredentials(DefaultChannelBuilder):
        """gRPC's other way: call credentials that ask the provider, in a thread of gRPC's."""

        def toChannel(self):  # noqa: N802
            plugin = grpc.metadata_call_credentials(Plugin())
            both = grpc.composite_channel_credentials(grpc.ssl_channel_credentials(), plugin)
            return self._secure_channel(self.endpoint, both)

    class Plugin(grpc.AuthMetadataPlugin):
        def __call__(self, context, callback):  # noqa: ARG002 - gRPC's signature
            callback((("authorization", provider.headers()["Authorization"]),), None)

    clients = {
        "no token": SparkConnectClient(DefaultChannelBuilder(url)),
        "pyspark, static token": SparkConnectClient(DefaultChannelBuilder(f"{url};token={token}")),
        "call credentials (not used)": SparkConnectClient(PerCallCredentials(url)),
        "lakekey": SparkConnectClient(lakekey.spark.channel_builder(provider, url)),
    }
    took = {name: [] for name in clients}
    order = list(clients)
    for call in range(-300, CALLS):  # the first ones warm the server up
        for name in order:
            began = time.perf_counter_ns()
            clients[name].get_configs("spark.sql.shuffle.partitions")
            if call >= 0:
                took[name].append(time.perf_counter_ns() - began)
        order = order[1:] + order[:1]
    base = statistics.quantiles(took["pyspark, static token"], n=100)
    print(f"Spark Connect Config RPC over TLS, {CALLS} calls each, taking turns; microseconds\n")
    print(f"{'channel':<30}{'p50':>9}{'p99':>9}{'added p50':>12}{'added p99':>12}")
    for name, values in took.items():
        cut = statistics.quantiles(values, n=100)
        row = (cut[49], cut[98], cut[49] - base[49], cut[98] - base[98])
        print(f"{name:<30}{row[0] / 1e3:>9.0f}{row[1] / 1e3:>9.0f}{row[2] / 1e3:>+12.0f}{row[3] / 1e3:>+12.0f}")
    for client in clients.values():
        client.close()


if __name__ == "__main__":
    main()
