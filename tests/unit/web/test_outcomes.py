import pytest

from lakekey.web import outcomes
from lakekey.web.outcomes import Outcome

CODES = sorted(
    value for name, value in vars(outcomes).items() if name.isupper() and name[0] != "_" and isinstance(value, str)
)


@pytest.mark.parametrize("code", [code for code in CODES if code != outcomes.CONNECTED])
def test_each_end_of_a_sign_in_is_an_error_with_a_next_step_and_the_people_it_names(code):
    error = Outcome(code, who="grace@example.com", expected="ada@example.com", profile="prod").to_error()
    assert error.message != "the sign-in did not succeed"
    assert error.hint
    assert error.profile == "prod"
    assert not {"{", "}"} & set(str(error))


def test_people_without_names_are_people_too():
    message = Outcome(outcomes.ASKS).to_error().message
    assert message == "a person without a name signed in, and another person was expected"


def test_detail_of_the_server_is_in_the_message():
    assert "(access_denied)" in Outcome(outcomes.DENIED, detail="access_denied").to_error().message


def test_row_of_a_later_release_is_read_by_its_known_fields():
    fields = {**Outcome(outcomes.CONNECTED, who="ada").as_fields(), "later": 1}
    assert Outcome.from_fields(fields) == Outcome(outcomes.CONNECTED, who="ada")
