"""Classic pyspark: options for ``spark.read.format("jdbc")`` and the Databricks JDBC driver."""

from typing import Any
from urllib.parse import urlsplit

from lakekey import _version
from lakekey.configuration.target import M2M
from lakekey.configuration.unpickled import client_secret
from lakekey.providers import factory
from lakekey.providers.host_facts import sql_path
from lakekey.providers.provider import Provider

DRIVER = "com.databricks.client.jdbc.Driver"
_SECRETS = ("Auth_AccessToken", "OAuth2Secret")


class JdbcOptions(dict[str, str]):
    """Options of a JDBC source; a mapping whose ``repr`` hides its secrets."""

    def __repr__(self) -> str:
        return repr({name: "(secret)" if name in _SECRETS else value for name, value in self.items()})


def jdbc_options(profile: str | Provider | None = None, **settings: Any) -> JdbcOptions:
    """Options for ``spark.read.format("jdbc").options(**…)`` with the Databricks JDBC driver.

    A person's token is fixed as the options are made: it serves connections that are opened before it expires, and
    nothing renews it. Make new options for each read. A service principal is handed to the driver, which then
    fetches and renews its tokens itself; its secret is among the options. One that assumes a group's role, or asks for
    authorization details, has a fixed token as a person does, since the driver cannot ask for them. Secrets stay out
    of the URL, which Spark shows in query plans; Spark redacts options that are named as these are.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        **settings: lakekey's settings (see `lakekey.provider`); the others are options of the source or the driver,
            such as ``query`` or ``dbtable``.

    Returns:
        The options, all strings. Their ``repr`` hides the secrets.

    Raises:
        ConfigurationError: A setting is missing or wrong, or the provider was unpickled where its secret is not.
        LakekeyError: There is no session.
    """
    provider, rest = factory.resolve_provider(profile, settings)
    target = provider.target
    address = urlsplit(target.host)
    options = {
        "url": f"jdbc:databricks://{address.hostname}:{address.port or 443}",
        "driver": DRIVER,
        "httpPath": sql_path(target, rest.pop("http_path", None)),
        "AuthMech": "11",
        "UserAgentEntry": f"lakekey/{_version.__version__}",
    }
    for name, option in (("catalog", "ConnCatalog"), ("schema", "ConnSchema")):
        value = rest.pop(name, None) or getattr(target, name)
        if value:
            options[option] = value
    # The driver's own flow knows of no group and no details: it would sign in with more, or other, rights than asked.
    if target.auth_type == M2M and not (target.group_id or target.authorization_details):
        options |= {"Auth_Flow": "1", "OAuth2ClientId": target.client_id, "OAuth2Secret": client_secret(target)}
    else:
        options |= {"Auth_Flow": "0", "Auth_AccessToken": provider.token().access_token}
    return JdbcOptions(options | {name: str(value) for name, value in rest.items()})
