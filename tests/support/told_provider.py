"""What stands for a provider before an adapter: it has a few tokens, and notes what it is told of them."""

from types import SimpleNamespace

from lakekey.errors import LakekeyError, LoginRequired


class ToldProvider:
    """Hands out its first token until that is refused or `renew` is called.

    Args:
        *tokens: Its tokens.

    Attributes:
        target: Where it signs in to.
        told: What it was told of its tokens: ``served one``, ``refused one``.
        trouble: Raised where a token is refused.
        scheme: The scheme of its header.
        more: Its other headers.
        is_signed_out: Whether a person has to sign in.
    """

    def __init__(self, *tokens: str) -> None:
        self.target = SimpleNamespace(
            name="prod", host="https://prod.example.com", is_delegated=False, login_command="lakekey login prod"
        )
        self.tokens = list(tokens)
        self.told: list[str] = []
        self.trouble: LakekeyError | None = None
        self.scheme = "Bearer"
        self.more: dict[str, str] = {}
        self.is_signed_out = False

    def headers(self, *, ask: bool = True) -> dict[str, str]:
        """The headers, with the first of the tokens; a person who has to sign in does so where one may be asked."""
        self._sign_in(ask=ask)
        return {"Authorization": f"{self.scheme} {self.tokens[0]}", **self.more}

    def _sign_in(self, *, ask: bool) -> None:
        if self.is_signed_out and not ask:
            raise LoginRequired("not signed in", hint=f"run: {self.target.login_command}")

    def served(self, token: str) -> None:
        """Notes that a token has served."""
        self.told.append(f"served {token}")

    def renew(self) -> None:
        """Goes on to the next token, as another thread would have it do."""
        self.tokens.pop(0)

    def invalidate(self, token: str, *, ask: bool = True) -> bool:
        """Notes that a token was refused. Returns whether there is another one now."""
        self._sign_in(ask=ask)
        self.told.append(f"refused {token}")
        if self.trouble is not None:
            raise self.trouble
        if len(self.tokens) == 1:
            return False
        self.renew()
        return True
