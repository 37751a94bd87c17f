-- Who appends to an upload: a lease, so that one of several API processes writes at a time.

CREATE TABLE upload_holds (
  upload TEXT PRIMARY KEY REFERENCES uploads (id),
  owner TEXT NOT NULL DEFAULT '',             -- a process; empty: nobody
  fence BIGINT NOT NULL DEFAULT 0,            -- rises with each holder
  expires_at DOUBLE PRECISION NOT NULL DEFAULT 0,
  heard_at DOUBLE PRECISION NOT NULL DEFAULT 0, -- when the holder's client sent something last
  wanted INTEGER NOT NULL DEFAULT 0           -- 1: somebody else would append, 2: the holder has to go
);
