"""How programs use lakekey, for a type checker: what is right passes, and each marked line is an error."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import assert_type

import httpx
from requests.auth import AuthBase
from sqlalchemy import Engine

import lakekey

p = lakekey.provider("prod")
assert_type(p, lakekey.Provider)
lakekey.provider(host="https://h.example", scopes=["sql"], login_timeout=30, redirect_port=8021)
lakekey.provider(
    host="https://h.example", scopes="sql, jobs", ca_file=Path("ca.pem"), config_file=Path("cfg"), user=None
)
lakekey.provider("prod", disable_oauth_refresh_token=True)

lakekey.provider(hots="https://h.example")  # error
lakekey.provider(host=1)  # error
lakekey.provider(scopes=1)  # error
lakekey.provider(redirect_port=[8020])  # error

assert_type(p.headers(), dict[str, str])
assert_type(p.token(), lakekey.Token)
assert_type(p.token().access_token, str)
assert_type(p.auth_type(), str)
assert_type(p.identity(), str | None)
assert_type(p.target.host, str)
assert_type(p.target.scopes, tuple[str, ...])
wrong = p.target.hots  # error

assert_type(p(), Callable[[], dict[str, str]])
try:
    p.headers()
except lakekey.LoginRequired as error:
    assert_type(error.hint, str | None)

assert_type(lakekey.login("prod", switch=True, host="https://h.example"), lakekey.Provider)
assert_type(lakekey.logout("prod"), bool)
lakekey.login(switsh=True)  # error
for session in lakekey.sessions():
    assert_type(session.identity, str | None)
    assert_type(session.expires_at, datetime | None)
for profile in lakekey.profiles():
    assert_type(profile.is_default, bool)

connection = lakekey.sql.connect(p, http_path="/sql/1.0/warehouses/1")
lakekey.sql.connect("prod", warehouse_id="1", session_configuration={"timezone": "UTC"})
lakekey.sql.connect(1)  # error
lakekey.sql.connect("prod", fixed_token="yes")  # error

assert_type(lakekey.requests_auth(p), AuthBase)
assert_type(lakekey.httpx_auth("prod", group_id="7"), httpx.Auth)
lakekey.requests_auth(groop_id="7")  # error
assert_type(lakekey.sqlalchemy.create_engine(p), Engine)
