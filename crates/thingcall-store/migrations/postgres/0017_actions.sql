-- What a caller asked for, and the times of an asynchronous call before it was written down, as JSON. NULL where they are not known.
ALTER TABLE call_records ADD COLUMN action TEXT;
ALTER TABLE calls ADD COLUMN action TEXT;
ALTER TABLE calls ADD COLUMN times TEXT;
