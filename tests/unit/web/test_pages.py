"""Pages that ask and tell: names that look alike are told apart."""

from lakekey.web import outcomes, pages
from lakekey.web.outcomes import Outcome

FORM = pages.Form("/lakekey", "token")
LIKE_ADA = "\N{CYRILLIC SMALL LETTER A}da@example.com"


def test_name_that_looks_like_another_is_written_out_where_the_person_is_asked():
    asked = pages.question("en", "ada@example.com", Outcome(outcomes.ASKS, LIKE_ADA, "ada@example.com"), "x", FORM)
    assert f"{LIKE_ADA} has letters beyond ASCII: \\u0430da@example.com" in asked.decode()
    plain = pages.question("en", "ada@example.com", Outcome(outcomes.ASKS, "bob@example.com"), "x", FORM)
    assert "beyond ASCII" not in plain.decode()


def test_name_that_looks_like_another_is_written_out_where_another_user_finishes():
    outcome = Outcome(outcomes.OTHER_USER, LIKE_ADA, "ada@example.com")
    message = pages.outcome_message("de", outcome, app="", redirect_uri="")
    assert message.text.endswith(f"{LIKE_ADA} enthält Zeichen außerhalb von ASCII: \\u0430da@example.com")
