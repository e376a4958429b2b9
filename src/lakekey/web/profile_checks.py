"""What a portal looks at in its profiles before it starts."""

from collections.abc import Collection, Mapping

from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from lakekey.web.app_form import same_name, slug
from lakekey.web.people import ANY_USER
from lakekey.web.sign_in import hosted_target


def servers_of(profiles: Collection[str], automation: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The host whose authorization server each profile signs in to.

    Args:
        profiles: The portal's.
        automation: Profile for people → profile of a service principal.
        environ: The environment.

    Raises:
        ConfigurationError: There is none; one cannot be used; two would share a callback; or ``automation`` names what
            is not a profile for people, and one of a service principal.
    """
    if not profiles:
        raise ConfigurationError("the portal has no profile", hint='Portal(["prod"], …)')
    servers: dict[str, str] = {}
    named: dict[str, str] = {}
    for profile in profiles:
        target = hosted_target(profile, ANY_USER, environ)
        servers[profile] = target.host
        if target.sources.get("client_id") is None:
            continue
        other = named.setdefault(slug(profile), profile)
        if other != profile:
            raise same_name(slug(profile), other, profile)
    for person, service in automation.items():
        if person not in profiles:
            raise ConfigurationError(f"automation names {person!r}, which is not among the profiles", hint="name one")
        if resolve(service, environ).is_person:
            raise ConfigurationError(
                f"automation names {service!r}, in which no service principal is configured",
                hint="set client_id and client_secret in it",
            )
    return servers
