-- Options of an asset, encodes after the first, and work that is not done twice.

ALTER TABLE tickets ADD COLUMN options TEXT NOT NULL DEFAULT '{}'; -- of its assets

CREATE TABLE encodes (
  asset TEXT NOT NULL REFERENCES assets (id),
  number INTEGER NOT NULL,                    -- from 2 on: the first one's profile is the asset's own
  profile TEXT NOT NULL,                      -- the whole profile, as it was then
  PRIMARY KEY (asset, number)
);

ALTER TABLE assets ADD COLUMN source_size BIGINT; -- a copy to search by: assets of one size may have the same source
UPDATE assets SET source_size = (SELECT max(u.length) FROM uploads u
  WHERE u.asset = assets.id AND u.state = 'finished' AND u.kind <> 'part');
CREATE INDEX assets_by_source_size ON assets (tenant, source_size) WHERE source_size IS NOT NULL;

ALTER TABLE steps ADD COLUMN work TEXT;       -- of a step that is done: the name of its work, by the source's digest
ALTER TABLE steps ADD COLUMN avoided DOUBLE PRECISION NOT NULL DEFAULT 0; -- CPU seconds that a copied result saved
CREATE INDEX steps_by_work ON steps (tenant, work) WHERE work IS NOT NULL;
