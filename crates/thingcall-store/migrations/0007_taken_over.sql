-- Which instance brought a call on that another one had accepted, or an earlier run of a server, and when.
ALTER TABLE calls ADD COLUMN taken_over_by TEXT;
ALTER TABLE calls ADD COLUMN taken_over_at BIGINT;
