"""Whether what comes to a sign-in is of its own server, browser and user."""

import hmac
from collections.abc import Mapping

from lakekey.oauth.discovery import Metadata
from lakekey.web import browser as browsers
from lakekey.web import outcomes
from lakekey.web.flows import Flow
from lakekey.web.outcomes import Outcome
from lakekey.web.people import User


def wrong_metadata(metadata: Metadata, issuer: str | None) -> str | None:
    """RFC 9700 §2.1.1: a server that does not say that it takes S256 is refused, and nothing weaker is tried."""
    if "S256" not in (metadata.challenge_methods or ()):
        return "they do not offer the code challenge method S256"
    if issuer is not None and metadata.issuer != issuer:  # RFC 8414 §3.3
        return f"they name the issuer {metadata.issuer}, and {issuer} is registered"
    return None


def not_of(flow: Flow, browser: str | None, registration: str, answer: Mapping[str, str]) -> Outcome | None:
    """Why an answer is not the one to this sign-in; ``None`` if it is."""
    if not browsers.is_value(browser):
        return Outcome(outcomes.NO_COOKIE, profile=flow.profile)
    if not hmac.compare_digest(browsers.digest(browser or ""), flow.browser):
        return Outcome(outcomes.OTHER_BROWSER)
    if registration != flow.registration:
        return Outcome(outcomes.WRONG_SERVER, profile=flow.profile)
    issuer = answer.get("iss")
    # RFC 9207 §2.4: compared always, and demanded where the server announces it.
    if (issuer is None and flow.iss_expected) or issuer not in (None, flow.issuer):
        return Outcome(outcomes.WRONG_SERVER, profile=flow.profile)
    return None


def not_theirs(flow: Flow | None, browser: str | None, user: User) -> Outcome | None:
    """Why the second step is not this browser's and this user's; ``None`` if it is."""
    if flow is None:
        return Outcome(outcomes.LATE)
    if not browsers.is_value(browser):
        return Outcome(outcomes.NO_COOKIE)
    is_theirs = (flow.user, flow.user_id) == (user.name, user.id)
    if not hmac.compare_digest(browsers.digest(browser or ""), flow.browser):
        # Of another person in another browser, it is as if it were not there.
        return Outcome(outcomes.OTHER_BROWSER if is_theirs else outcomes.LATE)
    if not is_theirs:
        return Outcome(outcomes.OTHER_USER, who=flow.user, expected=user.name)
    return None
