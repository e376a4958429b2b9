"""The two halves of a hosted sign-in for an application's own routes: `begin_sign_in` and `finish_sign_in`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lakekey.configuration.target import Target
from lakekey.errors import LoginFailed
from lakekey.web import browser as browsers
from lakekey.web import outcomes, return_path
from lakekey.web.app_form import check_public_address
from lakekey.web.flows import Flow
from lakekey.web.outcomes import Outcome
from lakekey.web.people import User, user_of
from lakekey.web.sign_in import SignIns, hosted_target


class BegunSignIn(NamedTuple):
    """A sign-in that has begun.

    Attributes:
        url: Where to send the browser.
        cookie: What to set in the browser, with exactly these attributes.
    """

    url: str
    cookie: browsers.Cookie

    def __repr__(self) -> str:
        return "BegunSignIn()"


def begin_sign_in(
    profile: str | None = None,
    *,
    user: User | str,
    redirect_uri: str,
    browser: str | None = None,
    return_to: str = "",
    environ: Mapping[str, str] | None = None,
    **settings: Any,
) -> BegunSignIn:
    """Begin a sign-in, in a route of the application that answers a POST.

    Args:
        profile: What to sign in to.
        user: Who is at the browser, as the application's own session says.
        redirect_uri: The address of the route that calls `finish_sign_in`, as registered for the app. Never built from
            a request's ``Host``.
        browser: The value of the request's cookie `COOKIE`, or ``None`` if it has none.
        return_to: Where to go at the end: a path of the application, for its own use. Anything else counts as ``""``,
            so that a parameter of a request leads to no other site.
        environ: The environment; ``None`` for this process's.
        **settings: As for `lakekey.provider`.

    Returns:
        Where to send the browser, and the cookie to set.

    Raises:
        LakekeyError: The sign-in cannot begin; the error says what to do.
    """
    who = user_of(user)
    check_public_address(redirect_uri, "redirect_uri")
    sign_ins = SignIns(environ=environ)
    target = hosted_target(profile, who, sign_ins.environ, **settings)
    value = browser if browser is not None and browsers.is_value(browser) else browsers.new_value()
    url = sign_ins.begin(
        target, who, redirect_uri=redirect_uri, registration="", browser=value, return_to=return_path.checked(return_to)
    )
    return BegunSignIn(url, browsers.Cookie(browsers.COOKIE, value))


def finish_sign_in(
    profile: str | None = None,
    *,
    answer: str | bytes,
    user: User | str,
    browser: str | None,
    environ: Mapping[str, str] | None = None,
    **settings: Any,
) -> Outcome:
    """Finish a sign-in, in the route of the redirect URI.

    A reload returns the same outcome again; nothing is sent twice.

    Args:
        profile: What was signed in to.
        answer: The query of the request, as it came.
        user: Who is at the browser now.
        browser: The value of the request's cookie `COOKIE`, or ``None``.
        environ: The environment; ``None`` for this process's.
        **settings: As for `begin_sign_in`.

    Returns:
        The outcome ``connected``; its ``who`` is the person, its ``return_to`` is what `begin_sign_in` was given.

    Raises:
        LoginFailed, WrongIdentity, LoginDenied, LoginTimeout: It did not succeed; what was stored before still is.
        TokenEndpointError, CacheError: It may succeed later.
        CredentialsRefused: The app is refused.
    """
    who = user_of(user)
    sign_ins = SignIns(environ=environ)
    query = answer.decode("ascii", "replace") if isinstance(answer, bytes) else answer
    received = sign_ins.receive(query, browser=browser, registration="")
    if received.outcome is not None:
        raise received.outcome.to_error()

    target = hosted_target(profile, who, sign_ins.environ, **settings)
    begun = sign_ins.flows.find(received.handle)
    if begun is not None and (begun.profile, begun.host) != (target.profile or "", target.host):
        raise LoginFailed(
            f"the sign-in was begun for {begun.profile or begun.host}",
            hint="finish a sign-in with the profile and the settings that it was begun with",
            profile=target.name,
        )

    def target_of(_: Flow) -> Target:
        return target

    outcome = sign_ins.second_step.finish(received.handle, browser=browser, user=who, target_of=target_of)
    if outcome.code == outcomes.ASKS:
        # There is no page that could ask, so what was not expected is not stored.
        sign_ins.second_step.answer(received.handle, browser=browser, user=who, accept=False, target_of=target_of)
    if outcome.code != outcomes.CONNECTED:
        raise outcome.to_error()
    return outcome
