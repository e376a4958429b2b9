"""Identity tokens of GitHub Actions, asked for with the job's own request token."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode

from lakekey.oauth import jwt
from lakekey.workload_identity.token_service import answered

if TYPE_CHECKING:
    from lakekey.oauth.transport import Transport

# What GitHub's default subject is made of, and what sets two workflows of one runner apart.
_WHO = ("GITHUB_REPOSITORY", "GITHUB_WORKFLOW_REF", "GITHUB_REF", "GITHUB_EVENT_NAME", "GITHUB_JOB")


class GitHubActions:
    """The identity token service of a job that has the permission ``id-token: write``."""

    place = "GitHub Actions"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @classmethod
    def detect(cls, environ: Mapping[str, str]) -> Self | None:
        """The source; ``None`` outside of such a job."""
        needed = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
        return cls(environ) if all(environ.get(name) for name in needed) else None

    def subject(self) -> str:
        """See `IdentityTokens.subject`."""
        return " ".join(self._environ.get(name, "") for name in _WHO).strip()

    def fetch(self, transport: "Transport", audience: str, *, deadline: float) -> str:
        """See `IdentityTokens.fetch`."""
        url = self._environ["ACTIONS_ID_TOKEN_REQUEST_URL"]
        separator = "&" if "?" in url else "?"
        answer = transport.get(
            f"{url}{separator}{urlencode({'audience': audience})}",
            headers={"Authorization": f"Bearer {self._environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
            deadline=deadline,
        )
        token = answered(answer, "value", self.place, hint="give the job the permission: id-token: write")
        return jwt.checked(token, self.place)
