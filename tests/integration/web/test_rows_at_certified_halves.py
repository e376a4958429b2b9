"""The rows of `begin_sign_in` and `finish_sign_in`, before the certified server."""

from .conftest import certified_place as place  # noqa: F401
from .test_two_halves import (  # noqa: F401 - run again, with the certified server's `place`
    no_warning_of_unattended_runs,
    test_b04_code_of_another_sign_in_is_not_exchanged,
    test_b06_answer_after_ten_minutes_is_too_late,
    test_b08_denial_leaves_the_connection_and_repeats_no_words_of_the_server,
    test_b09_answer_that_names_another_issuer_or_none_is_refused,
    test_b10_issuer_other_than_the_registered_one_is_refused,
    test_b10_server_that_does_not_offer_s256_is_refused,
    test_b25_answer_with_fewer_scopes_names_them_and_keeps_the_connection,
    test_b25_answer_without_refresh_token_names_the_scope_and_keeps_the_connection,
    test_b25_person_outside_the_workspace_is_reported,
    test_b27_store_that_is_away_redeems_nothing_and_the_same_step_works_later,
    test_b28_answer_may_come_to_another_worker_than_the_start,
    test_b29_sign_ins_that_one_user_abandons_are_bounded,
    test_b35_name_is_never_a_path,
    test_b35_one_person_has_one_key_however_the_name_is_written,
    test_b43_endpoint_in_trouble_is_tried_later,
    test_b44_older_secret_is_sent_while_the_new_one_is_not_known_yet,
    test_b44_wrong_secret_is_for_the_administrator,
    test_b48_person_who_never_connected_gets_the_link,
    test_b48_process_without_the_portals_store_finds_no_connection_and_opens_no_browser,
)
