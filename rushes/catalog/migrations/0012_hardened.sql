-- The fleet, hardened: lanes with fair tags in place of a search through steps, what a step needs and has cost, what operators
-- asked of workers and pools, and numbers that are sampled once for all who ask.

-- First every table that others are at, in the order in which they take them, and only then what takes its time: so that a
-- running fleet and this wait for each other, but in no circle.
ALTER TABLE assets ADD COLUMN stored BIGINT NOT NULL DEFAULT 0;              -- bytes of its source and its newest build

ALTER TABLE steps ADD COLUMN class INTEGER NOT NULL DEFAULT 2;               -- engine.classes.Class, of the priority
ALTER TABLE steps ADD COLUMN deadline DOUBLE PRECISION NOT NULL DEFAULT 0;   -- earliest goes first inside a lane
ALTER TABLE steps ADD COLUMN version INTEGER NOT NULL DEFAULT 1;             -- engine.version.GRAPH of who planned it
ALTER TABLE steps ADD COLUMN spent DOUBLE PRECISION NOT NULL DEFAULT 0;      -- CPU seconds of the running attempt so far
ALTER TABLE steps ADD COLUMN factor DOUBLE PRECISION NOT NULL DEFAULT 1;     -- of what was planned: cost = planned * factor (costs)
ALTER TABLE steps ADD COLUMN preempted INTEGER NOT NULL DEFAULT 0;           -- how often it had to make room
ALTER TABLE steps ADD COLUMN needs TEXT NOT NULL DEFAULT '{}';               -- engine.job.Needs, where it is known

ALTER TABLE attempts ADD COLUMN blame TEXT;
ALTER TABLE attempts ADD COLUMN host TEXT;
ALTER TABLE attempts ADD COLUMN estimate DOUBLE PRECISION NOT NULL DEFAULT 0;     -- what its tenant was charged at the claim
ALTER TABLE attempts ADD COLUMN bytes_read BIGINT NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN bytes_written BIGINT NOT NULL DEFAULT 0;

ALTER TABLE workers ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE workers ADD COLUMN release TEXT NOT NULL DEFAULT '';              -- of rushes
ALTER TABLE workers ADD COLUMN graph INTEGER NOT NULL DEFAULT 1;             -- newest graph version it can carry out
ALTER TABLE workers ADD COLUMN cores DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN memory BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN gpu TEXT NOT NULL DEFAULT '';
ALTER TABLE workers ADD COLUMN state TEXT NOT NULL DEFAULT 'working';        -- working, draining, cordoned
ALTER TABLE workers ADD COLUMN reason TEXT NOT NULL DEFAULT '';              -- of that state
ALTER TABLE workers ADD COLUMN wanted TEXT NOT NULL DEFAULT '';              -- what an operator asks of it: drain, cordon
ALTER TABLE workers ADD COLUMN speed DOUBLE PRECISION NOT NULL DEFAULT 0;    -- estimated by measured CPU seconds; 0: unknown
ALTER TABLE workers ADD COLUMN scratch_free BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN skew DOUBLE PRECISION NOT NULL DEFAULT 0;     -- its clock minus the database's, seconds

UPDATE steps SET class = CASE WHEN priority >= 20 THEN 3 WHEN priority > 0 THEN 2 WHEN priority > -10 THEN 1 ELSE 0 END,
  deadline = coalesce(ready_at, created_at);
-- What waits is counted down from now on, instead of anew at each end of a step.
UPDATE steps SET waiting = (SELECT count(*) FROM step_after l JOIN steps d ON d.id = l.after WHERE l.step = steps.id
  AND d.state NOT IN ('done', 'skipped', 'failed', 'cancelled')) WHERE state = 'waiting';
-- A step that is to begin later waits, for nothing but its time, instead of standing in the way of those that are ready.
UPDATE steps SET state = 'waiting', waiting = 0 WHERE state = 'ready' AND not_before > 0;
DROP INDEX steps_ready;
CREATE INDEX steps_head ON steps (pool, class, tenant, version, deadline, id) WHERE state = 'ready';
CREATE INDEX steps_timed ON steps (not_before) WHERE state = 'waiting' AND waiting = 0 AND not_before > 0;
CREATE INDEX steps_shares ON steps (pool, tenant) WHERE state = 'running';
CREATE INDEX steps_waiting ON steps (asset) WHERE state = 'waiting';
CREATE INDEX steps_avoided ON steps (kind) WHERE avoided > 0;

CREATE INDEX attempts_ended ON attempts (finished_at) WHERE finished_at IS NOT NULL;

UPDATE assets SET stored = coalesce(source_size, 0) WHERE state <> 'deleted' AND original = 1;
CREATE INDEX assets_stored ON assets (tenant, stored) WHERE stored > 0;

-- Ready steps of one pool, class, tenant and graph version. The least tag goes first.
CREATE TABLE queues (
  pool TEXT NOT NULL,
  class INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  version INTEGER NOT NULL,
  tag DOUBLE PRECISION NOT NULL DEFAULT 0,       -- CPU seconds given so far, divided by weight
  weight DOUBLE PRECISION NOT NULL DEFAULT 1,    -- its tenant's, as of the last claim
  open INTEGER NOT NULL DEFAULT 1,               -- 0: nothing in it is ready
  filled INTEGER NOT NULL DEFAULT 0,             -- 1: its tenant runs as many steps of the pool as it may
  since DOUBLE PRECISION NOT NULL DEFAULT 0,     -- when it was served last, or opened
  PRIMARY KEY (pool, class, tenant, version)
);
INSERT INTO queues (pool, class, tenant, version)
  SELECT DISTINCT pool, class, tenant, version FROM steps WHERE state = 'ready';
CREATE INDEX queues_open ON queues (pool, class DESC, tag, since, tenant) WHERE open = 1 AND filled = 0;
CREATE INDEX queues_level ON queues (pool, class, tag);
CREATE INDEX queues_since ON queues (pool, since) WHERE open = 1 AND filled = 0;

CREATE TABLE pools (
  pool TEXT PRIMARY KEY,
  paused INTEGER NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '',
  changed_at DOUBLE PRECISION NOT NULL DEFAULT 0
);

-- Work that one process does for all, until its lease ends: the reconciler, the sampler.
CREATE TABLE offices (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until DOUBLE PRECISION NOT NULL,
  done_at DOUBLE PRECISION NOT NULL DEFAULT 0,
  place TEXT NOT NULL DEFAULT ''                 -- how far its holder came: work that is done in turns
);

-- Open work by pool, sampled by the holder of an office, so that who asks scans nothing.
CREATE TABLE pool_loads (
  pool TEXT PRIMARY KEY,
  sampled_at DOUBLE PRECISION NOT NULL,
  ready INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  waiting INTEGER NOT NULL DEFAULT 0,
  ready_cpu DOUBLE PRECISION NOT NULL DEFAULT 0,       -- estimated CPU seconds of steps that could start now
  running_cpu DOUBLE PRECISION NOT NULL DEFAULT 0,     -- and of what is left of those that run
  planned_cpu DOUBLE PRECISION NOT NULL DEFAULT 0,     -- and of those that wait
  oldest_ready DOUBLE PRECISION,                       -- since when the oldest is ready
  kinds TEXT NOT NULL DEFAULT '{}',                    -- JSON: {kind: {state: how many}}, open steps only
  classes TEXT NOT NULL DEFAULT '{}'                   -- JSON: {class: ready_cpu of it}
);

-- Other numbers that are sampled once for all: assets by state, results that were copied.
CREATE TABLE tallies (
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  n BIGINT NOT NULL DEFAULT 0,
  cpu DOUBLE PRECISION NOT NULL DEFAULT 0,
  PRIMARY KEY (name, key)
);

-- What steps really cost, beside what was estimated, by class of work.
CREATE TABLE costs (
  key TEXT PRIMARY KEY,
  n INTEGER NOT NULL DEFAULT 0,
  factor DOUBLE PRECISION NOT NULL DEFAULT 1,          -- actual by estimated CPU seconds, exponentially weighted
  spread DOUBLE PRECISION NOT NULL DEFAULT 0,          -- mean absolute deviation of that
  parallel DOUBLE PRECISION NOT NULL DEFAULT 0,        -- CPU seconds by wall seconds; 0: unknown
  updated_at DOUBLE PRECISION NOT NULL DEFAULT 0
);

CREATE TABLE quarantine (
  step TEXT PRIMARY KEY REFERENCES steps (id),
  asset TEXT NOT NULL,
  tenant TEXT NOT NULL,
  at DOUBLE PRECISION NOT NULL,
  reason_code TEXT NOT NULL,
  bundle TEXT NOT NULL,                                -- JSON: what is needed to do the step again elsewhere
  released_at DOUBLE PRECISION
);
CREATE INDEX quarantine_by_time ON quarantine (at);

-- What was used, by day, tenant and kind: kept when attempts are not.
CREATE TABLE ledger_days (
  day TEXT NOT NULL,                                   -- UTC, YYYY-MM-DD
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  rendition TEXT NOT NULL DEFAULT '',
  cpu DOUBLE PRECISION NOT NULL DEFAULT 0,
  wasted DOUBLE PRECISION NOT NULL DEFAULT 0,
  bytes_read BIGINT NOT NULL DEFAULT 0,
  bytes_written BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (day, tenant, kind, rendition)
);
