"""A table that is not the one of ``lakekey store init``: what it does to a write is noticed, and the check names it."""

import pytest

from lakekey.cache.stores.postgresql_table import TABLE
from lakekey.cache.stores.store import Note
from lakekey.errors import CacheError, CacheWriteFailed
from support.servers.postgresql import ROLE
from support.store_contract import NAME

pytestmark = pytest.mark.timeout(120)
CHANGES = "IF NEW.kind = 'entry' THEN NEW.body := 'another'; END IF; RETURN NEW;"
DROPS = "IF NEW.kind = 'entry' THEN RETURN NULL; END IF; RETURN NEW;"


@pytest.fixture
def trigger(postgresql):
    """Makes a trigger of what it does before which kind of statement."""

    def make(before, does):
        postgresql.sql(f"CREATE FUNCTION tampers() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does} END $$")
        postgresql.sql(
            f"CREATE TRIGGER tampers BEFORE {before} ON {TABLE} FOR EACH ROW EXECUTE FUNCTION public.tampers()"
        )

    yield make
    postgresql.sql("DROP FUNCTION IF EXISTS tampers CASCADE")


@pytest.mark.parametrize("does", [CHANGES, DROPS], ids=["changes", "drops"])
@pytest.mark.parametrize("before", [None, b"before"], ids=["insert", "update"])
def test_write_that_a_trigger_changes_or_drops_has_failed(postgresql, trigger, before, does):
    store = postgresql.store()
    if before is not None:
        assert store.put(NAME, before, replaces=None)
    trigger("INSERT OR UPDATE", does)
    with pytest.raises(CacheWriteFailed, match="changed or dropped a write") as caught:
        store.put(NAME, b"ours", replaces=before)
    assert "lakekey store check" in caught.value.hint


def test_write_under_a_note_that_a_trigger_drops_has_failed(postgresql, trigger):
    store = postgresql.store()
    store.write_note("cache.json", b"note")
    trigger("INSERT", DROPS)
    with pytest.raises(CacheWriteFailed):
        store.put(NAME, b"ours", replaces=None, under=Note("cache.json", b"note"))
    assert not store.put(NAME, b"ours", replaces=None, under=Note("cache.json", b"another"))


def test_removal_that_a_trigger_drops_has_failed(postgresql, trigger):
    store = postgresql.store()
    assert store.put(NAME, b"ours", replaces=None)
    trigger("DELETE", "RETURN NULL;")
    with pytest.raises(CacheWriteFailed):
        store.delete(NAME, replaces=b"ours")


@pytest.mark.parametrize("before", ["none", "ended"])
@pytest.mark.parametrize("does", ["RETURN NULL;", "NEW.body := 'another'; RETURN NEW;"], ids=["drops", "changes"])
def test_lease_that_a_trigger_drops_or_changes_is_an_error_at_once(postgresql, trigger, does, before):
    if before == "ended":
        postgresql.sql(f"INSERT INTO {TABLE} VALUES ('lease', %s, 'of another', 'host a', clock_timestamp())", NAME)
    trigger("INSERT OR UPDATE", f"IF NEW.kind = 'lease' THEN {does} END IF; RETURN NEW;")
    with pytest.raises(CacheWriteFailed, match="changed or dropped a write"), postgresql.store().lock(NAME):
        pass


def test_lease_that_row_security_refuses_is_an_error_that_names_the_statement(postgresql):
    disable = f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY"
    postgresql.sql(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    try:
        with pytest.raises(CacheError, match="denies access") as caught, postgresql.store().lock(NAME):
            pass
    finally:
        postgresql.sql(disable)
    assert caught.value.hint == f"an administrator runs there: {disable}"


ALTERED = {
    "trigger": (
        f"CREATE TRIGGER odd BEFORE UPDATE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        f"DROP TRIGGER odd ON {TABLE}",
        "the trigger odd may change",
    ),
    "rule": (
        f"CREATE RULE odd AS ON INSERT TO {TABLE} WHERE new.kind = 'bad' DO INSTEAD NOTHING",
        f"DROP RULE odd ON {TABLE}",
        "the rule odd may change",
    ),
    "policy": (
        f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
        "row security",
    ),
    "unlogged": (f"ALTER TABLE {TABLE} SET UNLOGGED", f"ALTER TABLE {TABLE} SET LOGGED", "unlogged"),
}


@pytest.mark.parametrize(("alter", "undo", "said"), ALTERED.values(), ids=ALTERED)
def test_check_names_what_is_not_as_it_was_made_and_the_statement_that_undoes_it(postgresql, alter, undo, said):
    postgresql.sql(alter)
    try:
        found = finding(postgresql, "table")
    finally:
        postgresql.sql(undo)
    assert (found.status, said in found.finding) == ("failed", True)
    assert found.next_step == f"an administrator runs there: {undo}"
    assert finding(postgresql, "table").status == "ok"


def test_check_names_a_table_of_that_name_which_hides_the_right_one(postgresql):
    postgresql.sql("CREATE SCHEMA hostile")
    try:
        postgresql.sql(f"CREATE TABLE hostile.{TABLE} (LIKE {TABLE} INCLUDING ALL)")
        postgresql.sql(f"GRANT USAGE ON SCHEMA hostile TO {ROLE}")
        postgresql.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON hostile.{TABLE} TO {ROLE}")
        postgresql.sql(f"ALTER ROLE {ROLE} SET search_path = hostile, public")
        found = finding(postgresql, "table")
    finally:
        postgresql.sql(f"ALTER ROLE {ROLE} RESET search_path")
        postgresql.sql("DROP SCHEMA hostile CASCADE")
    assert (found.status, found.finding) == ("failed", "the one in the schema hostile hides another in public")
    assert f"ALTER ROLE {ROLE} SET search_path = public" in found.next_step


RIGHTS = {
    "superuser": (f"ALTER ROLE {ROLE} SUPERUSER", f"ALTER ROLE {ROLE} NOSUPERUSER", "is a superuser"),
    "owner": (f"ALTER TABLE {TABLE} OWNER TO {ROLE}", f"ALTER TABLE {TABLE} OWNER TO CURRENT_USER", "owns the table"),
    "more": (f"GRANT TRUNCATE ON {TABLE} TO {ROLE}", f"REVOKE TRUNCATE ON {TABLE} FROM {ROLE}", "has TRUNCATE on it"),
    "public": (f"GRANT SELECT ON {TABLE} TO PUBLIC", f"REVOKE SELECT ON {TABLE} FROM PUBLIC", "every role"),
}


@pytest.mark.parametrize(("grant", "revoke", "said"), RIGHTS.values(), ids=RIGHTS)
def test_check_warns_of_a_role_that_may_do_more_than_it_needs(postgresql, grant, revoke, said):
    postgresql.sql(grant)
    try:
        found = finding(postgresql, "rights")
    finally:
        postgresql.sql(revoke)
        postgresql.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {ROLE}")
    assert (found.status, said in found.finding) == ("warning", True)
    assert "a role of their own" in found.next_step
    assert finding(postgresql, "rights").status == "ok"


def finding(postgresql, name):
    return next(found for found in postgresql.store().examine() if found.name == name)
