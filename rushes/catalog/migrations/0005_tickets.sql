-- One-time upload addresses, and what unfinished uploads reserve.

CREATE TABLE tickets (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  secret TEXT NOT NULL,                       -- SHA-256 of what its address carries
  places INTEGER NOT NULL,                    -- how many uploads it may make
  limits TEXT NOT NULL,                       -- of each of them
  title TEXT NOT NULL,
  metadata TEXT NOT NULL,
  profile TEXT NOT NULL,
  policy TEXT NOT NULL,
  created_at DOUBLE PRECISION NOT NULL,
  expires_at DOUBLE PRECISION NOT NULL,
  cancelled_at DOUBLE PRECISION,
  retry_key TEXT,                             -- Idempotency-Key of its creation
  request TEXT NOT NULL,                      -- SHA-256 of what was asked for, to tell a retry from another request
  UNIQUE (tenant, retry_key)
);
CREATE INDEX tickets_by_tenant ON tickets (tenant, id);
CREATE INDEX tickets_by_expiry ON tickets (expires_at);

ALTER TABLE uploads ADD COLUMN reserved BIGINT NOT NULL DEFAULT 0; -- bytes
UPDATE uploads SET reserved = length WHERE length IS NOT NULL AND kind <> 'joined';
CREATE INDEX uploads_by_ticket ON uploads (ticket) WHERE ticket IS NOT NULL;
CREATE INDEX uploads_of_day ON uploads (tenant, created_at, state, kind, length, reserved);
DROP INDEX uploads_by_tenant;                 -- what is open is read by the next one
CREATE INDEX uploads_open ON uploads (state, tenant, reserved) WHERE state = 'open';
CREATE INDEX uploads_parts_kept ON uploads (kind, state, tenant, reserved) WHERE kind = 'part' AND state = 'finished';
