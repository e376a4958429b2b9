"""The order of the checks, and what they work on."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lakekey.cli.doctor import compute, configuration, network, person, service, storage
from lakekey.cli.doctor.finding import Check, failed
from lakekey.cli.provider import SIGN_IN_FIRST
from lakekey.configuration.layers import Layers, read_layers
from lakekey.configuration.target import Target, target_of
from lakekey.configuration.validation import NAME_A_PROFILE
from lakekey.errors import CacheError, ConfigurationError, LakekeyError
from lakekey.session import only_session


class Examination:
    """A profile under examination.

    Args:
        profile: The profile, or ``None`` for the default chain.
        arguments: Settings given on the command line.
        environ: The environment.

    Attributes:
        layers: What each layer of the configuration says, once it is read.
        target: What it comes to, once it is resolved.
    """

    def __init__(self, profile: str | None, arguments: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.profile = profile
        self.arguments = arguments
        self.environ = environ
        self.layers: Layers | None = None
        self.target: Target | None = None

    def resolve(self) -> Target:
        """Resolve the configuration, keeping what each layer says.

        Raises:
            ConfigurationError: It does not hold.
        """
        self.layers = read_layers(self.profile, self.environ, self.arguments)
        try:
            self.target = target_of(self.layers, self.environ)
        except ConfigurationError as error:
            self.target = self._only_session(error)
        return self.target

    def _only_session(self, error: ConfigurationError) -> Target:
        """The one session that there is, where nothing at all was named: it is what the other commands use."""
        if not only_session.is_nothing_named(error):
            raise error
        try:
            only = only_session.the_only_one(self.environ)
        except CacheError:
            raise error from None  # the check of the cache says what is wrong with it
        if only is None:
            if error.hint == NAME_A_PROFILE:
                error.hint = SIGN_IN_FIRST
            raise error
        if only.profile is not None:
            self.layers = read_layers(only.profile, self.environ, {})
        return only


def examine(examination: Examination, *, connect: bool) -> Iterator[Check]:
    """Run the checks, yielding each as it is done.

    Args:
        examination: What to look at.
        connect: Also sign in, and try the warehouse or the cluster.
    """
    try:
        target = examination.resolve()
    except LakekeyError as error:
        yield failed("configuration", error)
        yield from _guarded("cache", lambda: storage.check_cache(None, examination.environ))
        return
    assert examination.layers is not None
    environ = examination.environ
    yield configuration.check_configuration(examination.layers, target)
    yield from configuration.check_conflicts(examination.layers, target)
    yield from configuration.check_keys(examination.layers)
    yield from network.check_host(target)
    yield from _guarded("cache", lambda: storage.check_cache(target, environ))
    if not target.is_delegated:
        yield from _guarded("session", lambda: storage.check_session(target, environ))
    if target.is_person:
        yield from _guarded("redirect port", lambda: [person.check_ports(target)])
    yield from _guarded("automation", lambda: [person.check_automation(target, environ)])
    yield from _guarded("service", lambda: service.check_service(environ))
    if connect:
        yield from _guarded("connection", lambda: compute.check_connection(target))


def _guarded(name: str, check: Callable[[], Any]) -> Iterator[Check]:
    try:
        yield from check()
    except LakekeyError as error:
        yield failed(name, error)
