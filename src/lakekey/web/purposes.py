"""Which of two identities acts for a purpose: the person, or the service principal of the same workspace."""

from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from lakekey.providers.factory import warn_service_principal_missing
from lakekey.providers.provider import Provider
from lakekey.web.people import User, user_of
from lakekey.web.service import PortalService

#: A person is there, and works as that person.
DEVELOP = "develop"
#: What runs without a person, and what run that is in words.
UNATTENDED = {"schedule": "a schedule", "index": "an index run"}


def provider_for(
    service: PortalService, user: User | str, profile: str, purpose: str, *, actor: User | str | None = None
) -> Provider:
    """See `lakekey.web.Portal.provider_for`."""
    if purpose == DEVELOP:
        return service.provider(user, profile, actor=actor)
    if purpose not in UNATTENDED:
        raise ConfigurationError(f"there is no purpose {purpose!r}", hint=f"use: {', '.join([DEVELOP, *UNATTENDED])}")
    who = user_of(user)
    service.target(profile, who)  # refuses a profile that the portal does not have
    principal = service.automation_of(profile)
    if principal is not None:
        service.check_actor(who, profile, actor)  # it acts in that person's place
        return Provider(resolve(principal, service.environ), "never", environ=service.environ)
    provider = service.provider(user, profile, actor=actor)
    warn_service_principal_missing(provider.target, UNATTENDED[purpose])
    return provider
