-- What many workers at a time need: every question that is asked often is answered by an index of what is open.

ALTER TABLE assets ADD COLUMN ready_at DOUBLE PRECISION;         -- a copy to search by
ALTER TABLE assets ADD COLUMN original INTEGER NOT NULL DEFAULT 1; -- 0 once the cleanup of the source is planned
ALTER TABLE assets ADD COLUMN litter INTEGER NOT NULL DEFAULT 0; -- 1 if attempts left outputs whose cleanup is not planned
UPDATE assets SET ready_at = (SELECT min(e.at) FROM events e WHERE e.asset = assets.id AND e.type = 'asset.ready');
UPDATE assets SET original = 0
  WHERE EXISTS (SELECT 1 FROM steps s WHERE s.asset = assets.id AND s.key = 'cleanup.original.0');
UPDATE assets SET litter = 1
  WHERE EXISTS (SELECT 1 FROM attempts t JOIN steps s ON s.id = t.step
    WHERE s.asset = assets.id AND s.kind <> 'cleanup' AND t.outcome NOT IN ('done', 'skipped'));
CREATE INDEX assets_with_litter ON assets (id) WHERE litter = 1;
CREATE INDEX assets_with_original ON assets (ready_at) WHERE original = 1 AND state = 'ready';

-- Of running steps nothing is indexed that a heartbeat changes, so that PostgreSQL renews a lease in place.
DROP INDEX steps_to_claim;
CREATE INDEX steps_ready ON steps (pool, priority, tenant, ready_at, id) WHERE state = 'ready';
CREATE INDEX steps_running ON steps (lease_owner) WHERE state = 'running';
CREATE INDEX steps_open ON steps (tenant) WHERE state IN ('waiting', 'ready', 'running');

ALTER TABLE deliveries ADD COLUMN lease_expires DOUBLE PRECISION; -- somebody is sending it until then
CREATE INDEX deliveries_sent ON deliveries (lease_expires) WHERE state = 'due' AND lease_expires IS NOT NULL;

CREATE INDEX uploads_by_asset ON uploads (asset);
