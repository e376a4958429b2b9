"""RFC 7009, and revocation by the sandbox itself."""


def test_a_client_revokes_its_refresh_token_and_all_that_came_of_it(box, client):
    tokens = client.tokens()
    assert client.revoke(tokens["refresh_token"]).status_code == 200
    assert client.me(tokens["access_token"]).status_code == 401
    client.assert_refused(client.refresh(tokens["refresh_token"]), 400, "invalid_grant")


def test_a_client_cannot_revoke_the_token_of_another(client):
    tokens = client.tokens()
    client.assert_refused(client.revoke(tokens["refresh_token"], "databricks-sql-python"), 400, "invalid_grant")
    assert client.refresh(tokens["refresh_token"]).status_code == 200


def test_the_sandbox_revokes_one_person_and_not_the_other(box, client):
    ada, grace = client.tokens(), client.tokens(user="grace@example.com")
    assert box.revoke("ada@example.com") == 2
    assert client.me(ada["access_token"]).status_code == 401
    assert client.me(grace["access_token"]).status_code == 200


def test_revoking_an_access_token_leaves_the_refresh_token(client):
    tokens = client.tokens()
    assert client.revoke(tokens["access_token"]).status_code == 200
    assert client.me(tokens["access_token"]).status_code == 401
    assert client.refresh(tokens["refresh_token"]).status_code == 200


def test_revoking_an_unknown_token_is_not_an_error(client):
    assert client.revoke("never issued").status_code == 200
