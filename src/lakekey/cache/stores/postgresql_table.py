"""The one table of a PostgreSQL store, and its version."""

TABLE = "lakekey_store"
SCHEMA_VERSION = "1"
UPGRADE = "pip install --upgrade lakekey"
#: What `lakekey store init` runs, and what `--sql` prints for an administrator.
SCHEMA = """\
CREATE TABLE IF NOT EXISTS lakekey_store (
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('entry', 'bad', 'lease', 'note')),
  name text COLLATE "C" NOT NULL,
  body bytea NOT NULL,
  holder text,
  expires timestamptz,
  PRIMARY KEY (kind, name)
);
INSERT INTO lakekey_store (kind, name, body) VALUES ('note', 'schema', '1') ON CONFLICT DO NOTHING;
"""
