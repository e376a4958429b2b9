"""A cluster, through the SDK: the same ``Config`` goes to ``DatabricksSession.builder.sdkConfig(config)`` for Spark."""

from databricks.sdk import WorkspaceClient

import lakekey

config = lakekey.sdk.config("prod")
client = WorkspaceClient(config=config)
cluster = client.clusters.get(config.cluster_id)
print(f"{client.current_user.me().user_name} sees cluster {cluster.cluster_name}: {cluster.state.value}")
