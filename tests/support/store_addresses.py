"""Addresses of stores that hold a password, as people write them into the wrong place."""

SECRET = "hunter2"
#: What is no address of a store, and yet holds a password.
MALFORMED = (
    f"host=h password={SECRET}",
    f"host=h user=ada password='{SECRET}' sslrootcert=https://h",
    f"postgresql:ada:{SECRET}@h/db",
    f"postgresql:/ada:{SECRET}@h/db",
    f"postgres//ada:{SECRET}@h/db",
    f"redis:{SECRET}@h",
    f"ada:{SECRET}@h:5432/db",
    f"{SECRET}:",
    SECRET,
)
#: Addresses with a scheme of ours, right or nearly so.
WITH_A_PASSWORD = (
    f"postgresql://ada:{SECRET}",
    f"postgresql://h/db password={SECRET}",
    f"postgresql://h/db&password={SECRET}",
    f"postgresql://h/db?host=h;password={SECRET}",
    f"postgresql://h/db?dbname=db password={SECRET}",
    f"postgresql://h/db?password={SECRET}",
    f"redis://ada:{SECRET}@127.0.0.1:1/0",
)
