"""nginx before a Spark server, as a workspace is: one TLS port for REST, OAuth and gRPC, each RPC's token checked."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from support.servers.nginx import Nginx
from support.servers.spark_server import free_port
from support.tls import write_certificates

# Asks the workspace whether it knows a token.
_AUTHORIZED = """
        location = /authorized {
            internal;
            proxy_pass https://workspace/api/2.0/preview/scim/v2/Me;
            proxy_http_version 1.1;
            proxy_method GET;
            proxy_pass_request_body off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_set_header Content-Type "";
            proxy_set_header TE "";
        }
"""
_HTTP = """
    client_max_body_size 0;
    keepalive_requests 1000000;
    ssl_certificate {certificates}/cert.pem;
    ssl_certificate_key {certificates}/key.pem;
    # The token's last characters tell tokens apart and are of no use to others.
    map $http_authorization $tail {{ default "none"; "~(?<end>.{{12}})$" $end; }}
    log_format rpcs '$msec $status $tail $http_x_databricks_cluster_id "$http_user_agent" $uri';
    upstream workspace {{ server {workspace}; keepalive 8; }}
    upstream spark {{ server 127.0.0.1:{spark}; keepalive 8; }}

    # The workspace.
    server {{
        listen 127.0.0.1:{port} ssl http2;
        location / {{
            proxy_pass https://workspace;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Accept-Encoding "";
            proxy_redirect https://{workspace}/ https://127.0.0.1:{port}/;
            # The issuer in the answer to an authorization request (RFC 9207).
            proxy_redirect "~^(?<before>.*)127.0.0.1%3A{workspace_port}(?<behind>.*)$" "${{before}}127.0.0.1%3A{port}$behind";
            sub_filter https://{workspace} https://127.0.0.1:{port};
            sub_filter_types application/json;
            sub_filter_once off;
            access_log {directory}/rest.log rpcs;
        }}
        location /spark.connect. {{
            auth_request /authorized;
            error_page 401 = @unauthenticated;
            grpc_pass grpc://spark;
            grpc_read_timeout 1h;
            grpc_send_timeout 1h;
            access_log {directory}/rpc.log rpcs;
        }}
        {authorized}
        location @unauthenticated {{
            internal;
            default_type application/grpc;
            add_header grpc-status 16 always;
            add_header grpc-message "Invalid access token" always;
            access_log {directory}/rpc.log rpcs;
            return 204;
        }}
    }}

    # The same, but a refusal is plain HTTP, 401 or 403, as gateways that know nothing of gRPC answer.
    server {{
        listen 127.0.0.1:{plain} ssl http2;
        location / {{
            auth_request /authorized;
            grpc_pass grpc://spark;
            access_log {directory}/rpc.log rpcs;
        }}
        {authorized}
    }}

    # TLS and nothing else.
    server {{
        listen 127.0.0.1:{open} ssl http2;
        location / {{ grpc_pass grpc://spark; grpc_read_timeout 1h; }}
    }}
"""


@dataclass(frozen=True)
class Rpc:
    """One RPC that the front saw.

    Attributes:
        time: When it was answered, epoch seconds.
        status: The HTTP status; 204 stands for UNAUTHENTICATED.
        token: The token's last characters.
        cluster: The cluster that it asked for.
        user_agent: What the client calls itself.
        method: The RPC's name.
    """

    time: float
    status: int
    token: str
    cluster: str
    user_agent: str
    method: str


class SparkFront(Nginx):
    """nginx on loopback.

    Args:
        directory: Where its files go.
        workspace: The workspace's URL, which has REST, OAuth and the check of a token.
        spark_port: The Spark server's port.

    Attributes:
        host: The workspace's URL, through the front.
        ca_file: The authority that its certificate is from.
        plain: The port where a refusal is plain HTTP.
        open: The port where no token is checked.
    """

    def __init__(self, directory: Path, *, workspace: str, spark_port: int) -> None:
        self.port, self.plain, self.open = free_port(), free_port(), free_port()
        self.host = f"https://127.0.0.1:{self.port}"
        write_certificates(directory)
        self.ca_file = str(directory / "ca.pem")
        http = _HTTP.format(
            authorized=_AUTHORIZED.strip(),
            directory=directory,
            certificates=directory,
            workspace=urlsplit(workspace).netloc,
            workspace_port=urlsplit(workspace).port,
            spark=spark_port,
            port=self.port,
            plain=self.plain,
            open=self.open,
        )
        super().__init__(directory, http)

    def url(self, port: int | None = None, **parameters: str) -> str:
        """The Spark Connect address of a port, with TLS."""
        said = "".join(f";{name}={value}" for name, value in parameters.items())
        return f"sc://127.0.0.1:{port or self.port}/;use_ssl=true{said}"

    def rpcs(self, since: float = 0.0) -> list[Rpc]:
        """The RPCs so far, refused ones too."""
        return self._read("rpc.log", since)

    def rest(self, since: float = 0.0) -> list[Rpc]:
        """The requests of REST and OAuth so far."""
        return self._read("rest.log", since)

    def _read(self, name: str, since: float) -> list[Rpc]:
        path = self._directory / name
        lines = path.read_text().splitlines() if path.exists() else []
        found = []
        for line in lines:
            match = re.fullmatch(r'(\S+) (\d+) (\S+) (\S+) "([^"]*)" (\S+)', line)
            assert match is not None, line
            moment, status, token, cluster, agent, uri = match.groups()
            if float(moment) >= since:
                found.append(Rpc(float(moment), int(status), token, cluster, agent, uri.rpartition("/")[2]))
        return found
