"""The variables of the environment that hold secrets of ours, or may: other programs are started without them."""

from lakekey.configuration.settings import SETTINGS

# What opens the key, or leads to the service that does.
_OF_KEYS = (
    "LAKEKEY_KEY", "LAKEKEY_PASSPHRASE", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET",
    "BAO_SECRET_ID", "BAO_TOKEN", "IDENTITY_HEADER", "VAULT_SECRET_ID", "VAULT_TOKEN",
)  # fmt: skip


def secret_variables() -> frozenset[str]:
    """Their names."""
    ours = (variable for setting in SETTINGS.values() if setting.secret for variable in setting.variables)
    # A store's address may have a password in it.
    return frozenset((*ours, *_OF_KEYS, "LAKEKEY_STORE"))
