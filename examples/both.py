"""One profile with a warehouse and a cluster: one sign-in serves SQL and the SDK."""

from databricks.sdk import WorkspaceClient

import lakekey

provider = lakekey.provider("prod")

with lakekey.sql.connect(provider) as connection, connection.cursor() as cursor:
    cursor.execute("select current_user() as me")
    print(f"the warehouse knows {cursor.fetchone().me}")

client = WorkspaceClient(config=lakekey.sdk.config(provider))
cluster = client.clusters.get(provider.target.cluster_id)
print(f"the cluster {cluster.cluster_name} is {cluster.state.value} for {client.current_user.me().user_name}")
