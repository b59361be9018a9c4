-- What an access key may do: one rule a line; everything where it is NULL.
ALTER TABLE access_keys ADD COLUMN allowed TEXT;
