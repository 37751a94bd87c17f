-- Uploads without a length yet, uploads in parts, and what an upload may be: SQLite changes no column, so by a new table.

DROP TABLE upload_holds;                      -- leases of seconds: whoever appends takes a new one

CREATE TABLE uploads_new (
  id TEXT PRIMARY KEY,
  asset TEXT REFERENCES assets (id),          -- none for a part
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'whole',         -- whole, part, joined
  length BIGINT,                              -- none: the client has not said it yet
  parts TEXT NOT NULL DEFAULT '[]',           -- of a joined one: ids of uploads, in order
  metadata TEXT NOT NULL,
  raw_metadata TEXT NOT NULL,
  raw_concat TEXT NOT NULL DEFAULT '',
  digests TEXT NOT NULL DEFAULT '{}',         -- what the whole has to come to, where the client said it
  ticket TEXT,                                -- the one-time address that it was made by
  secret TEXT,                                -- SHA-256 of what its address carries, where that is all that opens it
  limits TEXT NOT NULL DEFAULT '{}',
  created_at DOUBLE PRECISION NOT NULL,
  expires_at DOUBLE PRECISION NOT NULL,
  state TEXT NOT NULL
);
INSERT INTO uploads_new (id, asset, tenant, length, metadata, raw_metadata, created_at, expires_at, state)
  SELECT id, asset, tenant, length, metadata, raw_metadata, created_at, expires_at, state FROM uploads;
DROP TABLE uploads;
ALTER TABLE uploads_new RENAME TO uploads;
CREATE INDEX uploads_by_state ON uploads (state, expires_at);
CREATE INDEX uploads_by_asset ON uploads (asset);
CREATE INDEX uploads_by_tenant ON uploads (tenant) WHERE state = 'open';

CREATE TABLE upload_parts (
  joined TEXT NOT NULL REFERENCES uploads (id),
  part TEXT NOT NULL,
  PRIMARY KEY (joined, part)
);
CREATE INDEX upload_parts_by_part ON upload_parts (part);

CREATE TABLE upload_holds (
  upload TEXT PRIMARY KEY REFERENCES uploads (id),
  owner TEXT NOT NULL DEFAULT '',             -- a process; empty: nobody
  fence BIGINT NOT NULL DEFAULT 0,            -- rises with each holder
  expires_at DOUBLE PRECISION NOT NULL DEFAULT 0,
  heard_at DOUBLE PRECISION NOT NULL DEFAULT 0, -- when the holder's client sent something last
  wanted INTEGER NOT NULL DEFAULT 0           -- 1: somebody else would append, 2: the holder has to go
);
