"""The providers that a portal keeps, asked for by code that strikes in its midst."""

import threading

import lakekey
from lakekey.web.people import User
from lakekey.web.provider_cache import ProviderCache

ADA = User("ada@example.com")
HOST = "https://dbc.cloud.databricks.com"


class Finalized(lakekey.Provider):
    """Asks for another provider as it is dropped, as a connection's finalizer would."""

    asked: list[bool] = []  # noqa: RUF012 - of the test below
    kept: ProviderCache

    def __del__(self):
        self.asked.append(self.kept.find(ADA, "other", 0.0) is not None)


def test_finalizer_of_a_dropped_provider_finds_another_one():
    kept = Finalized.kept = ProviderCache()
    other = lakekey.provider(host=HOST, client_id="app", client_secret="secret")
    for drop in (kept.clear, lambda: kept.drop(ADA, "dev"), lambda: kept.forget(ADA.name, "dev")):
        kept.keep(ADA, "dev", 0.0, Finalized(other.target))
        kept.keep(ADA, "other", 0.0, other)
        thread = threading.Thread(target=drop, daemon=True)
        thread.start()
        thread.join(30.0)
        assert not thread.is_alive()
    assert Finalized.asked == [False, True, True]


def test_those_that_were_used_last_are_kept():
    kept = ProviderCache()
    provider = lakekey.provider(host=HOST, client_id="app", client_secret="secret")
    for number in range(1024):
        kept.keep(ADA, str(number), 0.0, provider)
    assert kept.find(ADA, "0", 0.0) is provider
    kept.keep(ADA, "last", 0.0, provider)
    assert (kept.find(ADA, "0", 0.0), kept.find(ADA, "1", 0.0)) == (provider, None)
