-- The way to a device: the transport an operator set for it, the one it last came from, and the topic on which its last
-- login said that it takes synchronous calls.
ALTER TABLE devices ADD COLUMN transport TEXT;
ALTER TABLE devices ADD COLUMN came_from TEXT;
ALTER TABLE devices ADD COLUMN sync_topic TEXT; -- 'ext', 'rrpc'
