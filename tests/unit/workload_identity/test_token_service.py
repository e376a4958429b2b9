import pytest

from lakekey.errors import CredentialsRefused, TokenEndpointError
from lakekey.oauth.answer import Answer
from lakekey.workload_identity.token_service import answered


def answer(status, body=b"{}", retry_after=None):
    return Answer(status, "application/json", body, retry_after)


def test_token_is_the_named_field():
    assert answered(answer(200, b'{"value": "a.b.c"}'), "value", "GitHub", hint="…") == "a.b.c"


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_refusal_is_final_and_has_the_services_next_step(status):
    with pytest.raises(CredentialsRefused, match=f"GitHub answered .*{status}") as caught:
        answered(answer(status), "value", "GitHub", hint="allow it")
    assert caught.value.hint == "allow it"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_trouble_may_pass_and_says_when(status):
    with pytest.raises(TokenEndpointError) as caught:
        answered(answer(status, retry_after=7.0), "value", "GitHub", hint="…")
    assert (caught.value.status, caught.value.retry_after) == (status, 7.0)


@pytest.mark.parametrize("body", [b"{}", b'{"value": 7}', b"[]", b"<html>"])
def test_answer_without_the_token_is_trouble(body):
    with pytest.raises(TokenEndpointError, match="instead of an identity token"):
        answered(answer(200, body), "value", "GitHub", hint="…")
