"""nginx before a portal, as a proxy that signs people in: it sets the header that names the user, and nothing else may."""

from pathlib import Path

from support.servers.nginx import Nginx
from support.servers.spark_server import free_port

_HTTP = """
    # Stands for the proxy's own sign-in.
    map $cookie_sso $who {{ default ""; "~^[a-z]+$" "$cookie_sso@example.com"; }}
    server {{  # leaves the path as it is, and speaks HTTP/1.0
        listen 127.0.0.1:{plain};
        location / {{
            proxy_pass http://127.0.0.1:{portal};
            proxy_set_header X-User $who;
        }}
    }}
    server {{  # takes the path off, keeps connections, and tells what it has changed
        listen 127.0.0.1:{stripping};
        location /lakekey/ {{
            proxy_pass http://127.0.0.1:{portal}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-User $who;
            proxy_set_header X-Forwarded-Prefix /lakekey;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
    server {{  # forgets the header, so that the visitor's own passes
        listen 127.0.0.1:{careless};
        underscores_in_headers on;
        location / {{ proxy_pass http://127.0.0.1:{portal}; }}
    }}
"""


class WebFront(Nginx):
    """nginx on loopback.

    Args:
        directory: Where its files go.
        portal: The portal's port.

    Attributes:
        plain: The port where the path stays as it is.
        stripping: The port where the portal's path is taken off.
        careless: The port where a visitor's own header passes.
    """

    def __init__(self, directory: Path, portal: int) -> None:
        self.plain, self.stripping, self.careless = free_port(), free_port(), free_port()
        ports = {"plain": self.plain, "stripping": self.stripping, "careless": self.careless}
        directory.mkdir()
        super().__init__(directory, _HTTP.format(portal=portal, **ports))
