"""What a host says of itself is shown and sent on, so it is text that can be."""

import pytest

from lakekey.oauth.discovery import _ask
from lakekey.oauth.token_response import parse
from lakekey.oauth.transport import Answer, Transport


@pytest.mark.parametrize("account", ["an\\u001b[2Jaccount", "an-\\ud800-account"], ids=["escape", "surrogate"])
def test_an_account_that_is_no_text_to_show_is_none(server, account):
    server.answer(
        "/.well-known/databricks-config",
        f'{{"account_id": "{account}", "token_federation_default_oidc_audiences": ["{account}"]}}',
    )
    said = _ask(Transport(user_agent="lakekey/test"), server.url, None)
    assert account.encode().decode("unicode_escape", "surrogatepass") not in (said.account_id, said.audience)
    assert (said.account_id, said.audience) == (None, None)


@pytest.mark.parametrize("seconds", ["1e300", "1e12"])
def test_a_session_that_never_ends_ends_within_the_calendar(seconds):
    body = f'{{"access_token": "t", "token_type": "Bearer", "refresh_token_expires_in": {seconds}}}'.encode()
    assert parse(Answer(200, "application/json", body, None)).refresh_lifetime == 10 * 366 * 86400
