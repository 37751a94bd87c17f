-- When an operator asked something of a worker; and of history that is not kept (RUSHES_KEEP_HISTORY), what stays of attempts
-- and steps that are folded away.

ALTER TABLE workers ADD COLUMN wanted_at DOUBLE PRECISION NOT NULL DEFAULT 0;   -- when that was asked
ALTER TABLE workers ADD COLUMN own TEXT NOT NULL DEFAULT '{}';                  -- JSON: {pool: slots that it shares with no other}

CREATE TABLE folded (
  asset TEXT PRIMARY KEY REFERENCES assets (id),
  lost INTEGER NOT NULL DEFAULT 0,               -- attempts that did not win: cleanups are named after how many there were
  used TEXT NOT NULL DEFAULT '{}',               -- JSON: {kind/rendition: catalog.account.Entry}, for the asset's ledger
  cpu DOUBLE PRECISION NOT NULL DEFAULT 0,       -- CPU seconds of steps that are gone, and what copies had saved in them
  avoided DOUBLE PRECISION NOT NULL DEFAULT 0
);

-- Results that were copied by steps that are gone, by kind.
CREATE TABLE avoided (
  kind TEXT PRIMARY KEY,
  n BIGINT NOT NULL DEFAULT 0,
  cpu DOUBLE PRECISION NOT NULL DEFAULT 0
);
