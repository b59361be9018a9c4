-- What a device that speaks its own bytes gets in place of the Alink request. Kept, since the codec that made it may be
-- gone or another one by the time the command is sent.
ALTER TABLE calls ADD COLUMN raw BLOB;
