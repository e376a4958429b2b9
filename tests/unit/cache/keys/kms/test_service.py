"""What is known of a service that did not wrap or unwrap."""

from lakekey.cache.keys.kms.service import Kind, KmsTrouble


def test_trouble_says_what_happened_with_the_services_own_code_and_another_next_step():
    trouble = KmsTrouble(Kind.DENIED, "AccessDenied", hint="ask for the right")
    assert (trouble.kind, trouble.detail, trouble.hint) == (Kind.DENIED, "AccessDenied", "ask for the right")
    assert trouble.args == (Kind.DENIED, "AccessDenied")


def test_trouble_has_no_code_and_no_step_of_its_own_unless_told():
    trouble = KmsTrouble(Kind.AWAY)
    assert (trouble.kind, trouble.detail, trouble.hint) == (Kind.AWAY, "", "")
    assert trouble.args == (Kind.AWAY, "")
