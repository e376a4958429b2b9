"""What a CI system's token service answers."""

from lakekey.errors import CredentialsRefused, TokenEndpointError
from lakekey.oauth.answer import Answer


def answered(answer: Answer, field: str, place: str, *, hint: str) -> str:
    """The token in a service's answer.

    Args:
        answer: What it answered.
        field: The field that holds the token.
        place: What messages call the service.
        hint: What helps where it refuses.

    Raises:
        CredentialsRefused: It refuses one to this workload; trying again cannot help.
        TokenEndpointError: It gave no usable answer; trying again may help.
    """
    fields = answer.json_object() if answer.status == 200 else None
    token = fields.get(field) if fields else None
    if isinstance(token, str):
        return token
    said = f"{place} answered {answer.describe()} instead of an identity token"
    if 400 <= answer.status < 500 and answer.status not in (408, 429):
        raise CredentialsRefused(said, hint=hint)
    raise TokenEndpointError(said, status=answer.status, retry_after=answer.retry_after)
