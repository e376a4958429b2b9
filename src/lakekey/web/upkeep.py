"""An existing connection: testing it, and ending it."""

from starlette.requests import Request
from starlette.responses import Response

from lakekey._hosts import is_account_console
from lakekey.errors import CacheError, LakekeyError
from lakekey.oauth import revocation
from lakekey.providers.provider import Provider
from lakekey.session.assembly import transport_of
from lakekey.web import pages, threads, words
from lakekey.web.connections import Connection
from lakekey.web.pages import Message
from lakekey.web.people import User
from lakekey.web.reliance import Reliance
from lakekey.web.told import told
from lakekey.web.visits import Visits

_SERVED = 200
_REFUSED = (401, 403)
_NOT_NOW = (408, 429)


class Upkeep(Visits):
    """What a person does with a connection."""

    async def test(self, request: Request, user: User, profile: str) -> Response:
        """Try a connection, and report the identity that it works as."""
        language = self.language(request)
        try:
            key, values = await self._threads.run_for(
                user.name, self._portal.server_of(profile), self._tried, user, profile
            )
        except LakekeyError as error:
            said = pages.error_message(language, error)
            message = said._replace(text=words.text(language, "not-tested", profile=profile, why=said.text))
            return await self.listing(request, user, message, status=200)
        message = Message(words.text(language, key, profile=profile, **values), good=True if key == "tested" else None)
        return await self.listing(request, user, message)

    def _tried(self, user: User, profile: str) -> tuple[str, dict[str, str]]:
        """What the page says of a connection that is not refused: that it works only if the workspace has served it."""
        provider = self._portal.provider(user, profile)
        if is_account_console(provider.target.host):  # which is not asked as a workspace is
            provider.token()
            return "tested-account", {"who": provider.identity() or user.name}
        status, scopes = self._answered(provider)
        who = provider.identity() or user.name
        if _SERVED <= status < _SERVED + 100:
            return "tested", {"who": who}
        if status == 403 and "all-apis" not in scopes:  # a token of narrower scopes may not read whose it is
            return "tested-narrow", {"who": who}
        if status in _REFUSED:
            raise told("e-no-access", f"the workspace answers HTTP {status}", profile=profile, status=str(status))
        if status >= 500 or status in _NOT_NOW:
            raise told("e-no-answer", f"the workspace answers HTTP {status}", profile=profile, status=str(status))
        return "tested-in-vain", {"status": str(status), "host": provider.target.host.removeprefix("https://")}

    def _answered(self, provider: Provider) -> tuple[int, tuple[str, ...]]:
        """What the workspace answers, and the scopes that it was asked with.

        What it refuses may be the token, with 403 as with 401: it is renewed once, which a session that is over fails.
        """
        target, renewed = provider.target, False
        while True:
            token = provider.token()
            headers = {"Authorization": f"Bearer {token.access_token}", "Accept": "application/json"}
            status = transport_of(target).get(f"{target.host}/api/2.0/preview/scim/v2/Me", headers=headers).status
            if _SERVED <= status < _SERVED + 100:
                provider.served(token.access_token)
            if status not in _REFUSED or renewed or not provider.invalidate(token.access_token):
                return status, token.scopes
            renewed = True

    async def disconnect(self, request: Request) -> Response:
        """Remove a connection, and revoke it."""
        ready = await self.changing_connection(request)
        if isinstance(ready, Response):
            return ready
        user, _, _, profile = ready
        try:
            unasked = Reliance(None, ())  # what relies on it is not told here
            before = await self._threads.run(threads.STORE, self._portal.connection, user, profile, reliance=unasked)
            removed, revoked = await self._threads.run_for(
                user.name, self._portal.server_of(profile), self._portal.disconnect, user, profile
            )
        except CacheError:
            return self.store_away(request)
        return await self.listing(request, user, self._parted(request, before, removed=removed, revoked=revoked))

    def _parted(self, request: Request, before: Connection, *, removed: bool, revoked: str | None) -> Message:
        language, profile = self.language(request), before.profile
        if not removed:
            return Message(words.text(language, "was-not-connected", profile=profile))
        said = words.text(language, "is-disconnected", profile=profile)
        if revoked is not None:
            key = {revocation.REVOKED: "revoked", revocation.NOT_OFFERED: "not-revoked"}.get(
                revoked, "revocation-failed"
            )
            until = words.date(language, before.ends_at) if before.ends_at is not None else "?"
            said += " " + words.text(language, key, date=until)
        return Message(said, good=revoked in (None, revocation.REVOKED))
