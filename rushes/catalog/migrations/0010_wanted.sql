-- Assets of which more is to be made, as soon as it can be planned.

ALTER TABLE assets ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX assets_wanted ON assets (wanted) WHERE wanted = 1;
