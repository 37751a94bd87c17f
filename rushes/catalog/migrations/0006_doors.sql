-- What came by another door than an upload: pulled from an address, imported, sent straight to the object store.

CREATE TABLE arrivals (
  name TEXT PRIMARY KEY,                      -- by which its sender knows it again, so that it comes once
  asset TEXT NOT NULL,                        -- written before its asset, in one transaction
  upload TEXT NOT NULL,
  created_at DOUBLE PRECISION NOT NULL
);
