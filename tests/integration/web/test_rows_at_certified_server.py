"""The rows of the portal's table that need nothing of the sandbox, at an authorization server that others wrote."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from lakekey.web import Portal
from support.web_certified import CertifiedBrowser, CertifiedPlace
from support.web_server import serving

from .conftest import ADA, URL
from .test_portal import (  # noqa: F401 - run again, with the fixtures below
    test_b01_answer_in_another_browser_is_refused_and_the_right_one_still_works,
    test_b02_attackers_answer_connects_no_victim,
    test_b03_user_who_changed_in_between_is_told_who_began,
    test_b05_reload_and_double_click_show_one_outcome_of_one_exchange,
    test_b07_malformed_answer_is_a_constant_page,
    test_b08_denial_is_told_in_our_words_and_markup_is_not_repeated,
    test_b09_answer_at_the_callback_of_another_app_is_refused,
    test_b11_return_to_another_site_ends_on_our_own_page,
    test_b12_forged_hosts_do_not_change_the_redirect_uri,
    test_b17_two_tabs_both_succeed,
    test_b18_two_people_in_two_browsers_are_independent,
    test_b19_second_device_replaces_nothing_that_is_in_use,
    test_b20_browser_without_the_cookie_is_told_to_allow_it,
    test_b23_other_person_is_asked_about_and_nothing_stored_before,
    test_b23_other_person_who_is_declined_is_revoked,
    test_b24_reconnecting_as_another_keeps_the_connection_until_allowed,
    test_b31_scanner_and_prefetch_at_the_callback_take_nothing,
    test_b32_and_b55_no_page_is_framed_cached_or_told_to_other_sites,
    test_b33_planted_cookie_gives_nothing,
    test_b37_what_is_not_this_users_looks_like_what_is_not_there,
    test_b49_portal_gives_each_of_many_users_their_own_token_and_bounded_memory,
    test_b54_page_that_was_open_for_a_day_gets_a_new_one_with_a_word,
    test_profile_that_is_gone_in_mid_flow_is_told_and_the_same_address_works_later,
    test_return_to_a_path_of_the_host_is_followed,
)
from .test_two_halves import (  # noqa: F401
    no_warning_of_unattended_runs,
    test_b04_code_of_another_sign_in_is_not_exchanged,
    test_b06_answer_after_ten_minutes_is_too_late,
    test_b08_denial_leaves_the_connection_and_repeats_no_words_of_the_server,
    test_b09_answer_that_names_another_issuer_or_none_is_refused,
    test_b27_store_that_is_away_redeems_nothing_and_the_same_step_works_later,
    test_b28_answer_may_come_to_another_worker_than_the_start,
)


@pytest.fixture
def place(lakekey_environment, oidc_server, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEKEY_INTERACTIVE", "never")
    for name in ("DATABRICKS_HOST", "DATABRICKS_WAREHOUSE_ID", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    place = CertifiedPlace(oidc_server, tmp_path, URL)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(place.config_file))
    place.register()
    return place


@pytest.fixture
def portal(place):
    return Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"))


@pytest.fixture
def visit(portal, place):
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        yield lambda user=ADA, **options: CertifiedBrowser(address, user, place, **options)
