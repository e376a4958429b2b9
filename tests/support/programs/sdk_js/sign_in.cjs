// Signs in as the environment says, asks the workspace who that is, and prints the answer as one line of JSON.

const { WorkspaceClient } = require("@databricks/sdk-experimental");

async function main() {
  const client = new WorkspaceClient({ product: "lakekey-tests", productVersion: "1.0.0" });
  const me = await client.currentUser.me();
  console.log(JSON.stringify({ authType: client.config.authType, userName: me.userName }));
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
