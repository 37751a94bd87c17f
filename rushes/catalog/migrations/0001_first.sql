-- The catalog: assets, their uploads and steps, the outbox. Plain SQL that SQLite and PostgreSQL both take;
-- times are seconds since the epoch by the database's clock (or by a test's).

CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  vtime DOUBLE PRECISION NOT NULL DEFAULT 0,  -- CPU seconds given so far, divided by weight: least goes first
  weight DOUBLE PRECISION NOT NULL DEFAULT 1
);

CREATE TABLE assets (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenants (id),
  state TEXT NOT NULL,
  publication TEXT NOT NULL,
  created_at DOUBLE PRECISION NOT NULL,
  next_build INTEGER NOT NULL DEFAULT 1,
  verdict_override TEXT,
  profile TEXT NOT NULL,                      -- the whole profile and policy, as they were at creation
  policy TEXT NOT NULL,
  doc TEXT NOT NULL                           -- the asset noun as JSON; the columns above are copies to search by
);
CREATE INDEX assets_by_tenant ON assets (tenant, id);
CREATE INDEX assets_by_state ON assets (state, id);

CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  asset TEXT NOT NULL REFERENCES assets (id),
  tenant TEXT NOT NULL,
  length BIGINT NOT NULL,
  metadata TEXT NOT NULL,
  raw_metadata TEXT NOT NULL,
  created_at DOUBLE PRECISION NOT NULL,
  expires_at DOUBLE PRECISION NOT NULL,
  state TEXT NOT NULL
);
CREATE INDEX uploads_by_state ON uploads (state, expires_at);

CREATE TABLE steps (
  id TEXT PRIMARY KEY,
  asset TEXT NOT NULL REFERENCES assets (id),
  tenant TEXT NOT NULL,
  source_version INTEGER NOT NULL,
  key TEXT NOT NULL,
  kind TEXT NOT NULL,
  pool TEXT NOT NULL,
  params TEXT NOT NULL,
  required INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  cost DOUBLE PRECISION NOT NULL,
  state TEXT NOT NULL,
  waiting INTEGER NOT NULL,                   -- dependencies that are not finished yet
  lease_owner TEXT,
  lease_expires DOUBLE PRECISION,
  fence INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  not_before DOUBLE PRECISION NOT NULL DEFAULT 0,
  cancel INTEGER NOT NULL DEFAULT 0,
  progress DOUBLE PRECISION NOT NULL DEFAULT 0,
  result TEXT,
  reason_code TEXT,
  reason_message TEXT,
  cpu_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
  created_at DOUBLE PRECISION NOT NULL,
  ready_at DOUBLE PRECISION,
  started_at DOUBLE PRECISION,
  finished_at DOUBLE PRECISION,
  UNIQUE (asset, source_version, key)
);
CREATE INDEX steps_to_claim ON steps (state, pool, priority, ready_at);

CREATE TABLE step_after (
  step TEXT NOT NULL REFERENCES steps (id),
  after TEXT NOT NULL REFERENCES steps (id),
  PRIMARY KEY (step, after)
);
CREATE INDEX step_after_by_after ON step_after (after);

CREATE TABLE attempts (
  step TEXT NOT NULL REFERENCES steps (id),
  fence INTEGER NOT NULL,
  worker TEXT NOT NULL,
  started_at DOUBLE PRECISION NOT NULL,
  finished_at DOUBLE PRECISION,
  outcome TEXT,                               -- done, skipped, failed, lost, cancelled, released
  reason_code TEXT,
  detail TEXT,
  cpu_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
  PRIMARY KEY (step, fence)
);

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,      -- the one word that the two do not share; see postgres.translated
  id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  asset TEXT NOT NULL,
  tenant TEXT NOT NULL,
  at DOUBLE PRECISION NOT NULL,
  data TEXT NOT NULL
);
CREATE INDEX events_by_asset ON events (asset, seq);
CREATE INDEX events_by_tenant ON events (tenant, seq);

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,                        -- the event's id: stable across retries
  seq BIGINT NOT NULL REFERENCES events (seq),
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (state, next_at);

CREATE TABLE workers (
  id TEXT PRIMARY KEY,
  pools TEXT NOT NULL,
  slots INTEGER NOT NULL,
  started_at DOUBLE PRECISION NOT NULL,
  seen_at DOUBLE PRECISION NOT NULL
);
