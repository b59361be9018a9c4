-- Keys that end by themselves: the key they were made of, and when they end, in milliseconds.
ALTER TABLE access_keys ADD COLUMN made_of TEXT;
ALTER TABLE access_keys ADD COLUMN ends_at BIGINT;
CREATE INDEX access_keys_ends ON access_keys (ends_at) WHERE ends_at IS NOT NULL;
