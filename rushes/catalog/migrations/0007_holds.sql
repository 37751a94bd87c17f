-- Each process asks ten times a second whether somebody waits for one of its uploads.

CREATE INDEX upload_holds_wanted ON upload_holds (wanted) WHERE wanted > 0; -- not by owner: leases change hands without it
