-- How a worker shuts in the tools that open uploads.

ALTER TABLE workers ADD COLUMN sandbox TEXT NOT NULL DEFAULT '';
