"""The shape in which databricks-sdk wants headers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lakekey import _moments
from lakekey._imports import libraries

if TYPE_CHECKING:
    from lakekey.providers.sources import HeaderFactory
    from lakekey.providers.token import Token


def header_factory(headers: "HeaderFactory", token: "Callable[[], Token]") -> Any:
    """What the SDK calls for headers on each request: an ``OAuthCredentialsProvider``, as ``Config`` checks for it.

    Args:
        headers: Returns fresh headers.
        token: Returns the token in them.
    """
    with libraries():
        from databricks.sdk.credentials_provider import OAuthCredentialsProvider
        from databricks.sdk.oauth import Token as SdkToken

    def sdk_token() -> SdkToken:
        current = token()
        # The SDK compares expiry with datetime.now(): local time, without a zone.
        expiry = _moments.local(current.expires_at).replace(tzinfo=None)
        return SdkToken(access_token=current.access_token, token_type=current.token_type, expiry=expiry)

    return OAuthCredentialsProvider(headers, sdk_token)
