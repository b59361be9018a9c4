-- When a device last came online, and when a model was published: what had got a number was.
ALTER TABLE devices ADD COLUMN online_at BIGINT;
ALTER TABLE model_versions ADD COLUMN published_at BIGINT;
UPDATE model_versions SET published_at = at WHERE number <> CAST(at AS TEXT);
