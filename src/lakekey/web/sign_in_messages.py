"""What a page says of a sign-in: how it ended, or why it could not begin.

A message to the administrator names the app, for which the store is asked.
"""

from lakekey.errors import LakekeyError, LoginFailed, TokenEndpointError
from lakekey.web import outcomes, pages
from lakekey.web.outcomes import Outcome
from lakekey.web.pages import Message
from lakekey.web.people import ANY_USER
from lakekey.web.service import PortalService
from lakekey.web.told import text_of


def ended(portal: PortalService, language: str, outcome: Outcome) -> Message:
    """What a page says of an outcome; what an administrator has to fix names the app."""
    app, redirect_uri = "", ""
    if needs_app(portal, outcome):
        app, redirect_uri = _app_of(portal, outcome.profile)
    return pages.outcome_message(language, outcome, app=app, redirect_uri=redirect_uri)


def needs_app(portal: PortalService, outcome: Outcome) -> bool:
    """Whether the message of an outcome has to ask the store for the app."""
    return outcome.code in outcomes.ADMINISTRATOR and outcome.profile in portal.profiles


def not_begun(portal: PortalService, language: str, profile: str, error: LakekeyError) -> Message:
    """What a page says of a sign-in that could not begin."""
    if text_of(error) is not None:  # its profile is missing or invalid
        return pages.error_message(language, error)
    app, redirect_uri = _app_of(portal, profile)
    if isinstance(error, TokenEndpointError):
        outcome = Outcome(outcomes.TRY_LATER)
    elif isinstance(error, LoginFailed) and "too many" in error.message:
        outcome = Outcome(outcomes.TOO_MANY)
    elif isinstance(error, LoginFailed) and "no app" in error.message:
        outcome = Outcome(outcomes.NO_APP)
    else:
        outcome = Outcome(outcomes.BAD_METADATA, detail=error.message)
    return pages.outcome_message(language, outcome, app=app, redirect_uri=redirect_uri)


def _app_of(portal: PortalService, profile: str) -> tuple[str, str]:
    """The app's name and the redirect URI to register, for a message to the administrator."""
    found = portal.app_of(portal.target(profile, ANY_USER))
    name = found.name if found is not None else profile
    return name, portal.redirect_uri(name)
