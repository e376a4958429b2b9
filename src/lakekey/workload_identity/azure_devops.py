"""Identity tokens of Azure Pipelines, asked for with the job's access token."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from lakekey.oauth import jwt
from lakekey.workload_identity.token_service import answered

if TYPE_CHECKING:
    from lakekey.oauth.transport import Transport

_NEEDED = (
    "SYSTEM_ACCESSTOKEN",
    "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI",
    "SYSTEM_TEAMPROJECTID",
    "SYSTEM_PLANID",
    "SYSTEM_JOBID",
    "SYSTEM_HOSTTYPE",
)


class AzureDevOps:
    """The identity token service of a pipeline step that was given ``SYSTEM_ACCESSTOKEN``."""

    place = "Azure DevOps"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @classmethod
    def detect(cls, environ: Mapping[str, str]) -> Self | None:
        """The source; ``None`` outside of such a step."""
        return None if cls.lacking(environ) else cls(environ)

    @staticmethod
    def lacking(environ: Mapping[str, str]) -> list[str]:
        """The variables of a pipeline step that are missing."""
        return [name for name in _NEEDED if not environ.get(name)]

    def subject(self) -> str:
        """See `IdentityTokens.subject`."""
        return " ".join(
            self._environ.get(name, "")
            for name in ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMPROJECTID", "SYSTEM_DEFINITIONID")
        ).strip()

    def fetch(self, transport: "Transport", audience: str, *, deadline: float) -> str:  # noqa: ARG002 - it is fixed
        """See `IdentityTokens.fetch`. The service fixes the audience to ``api://AzureADTokenExchange``."""
        environ = self._environ
        url = (
            f"{environ['SYSTEM_TEAMFOUNDATIONCOLLECTIONURI'].rstrip('/')}/{environ['SYSTEM_TEAMPROJECTID']}"
            f"/_apis/distributedtask/hubs/{environ['SYSTEM_HOSTTYPE']}/plans/{environ['SYSTEM_PLANID']}"
            f"/jobs/{environ['SYSTEM_JOBID']}/oidctoken?api-version=7.2-preview.1"
        )
        headers = {"Authorization": f"Bearer {environ['SYSTEM_ACCESSTOKEN']}", "Content-Type": "application/json"}
        answer = transport.post_form(url, {}, headers=headers, deadline=deadline)
        token = answered(
            answer, "oidcToken", self.place, hint="allow scripts of the pipeline to access the OAuth token"
        )
        return jwt.checked(token, self.place)
