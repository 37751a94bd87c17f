-- What a step had given before it was done once more: builds that are still played name it.

ALTER TABLE attempts ADD COLUMN result TEXT;
