-- The asynchronous calls of a device in the order of their times. What an earlier try left is made anew.
DROP INDEX CONCURRENTLY IF EXISTS calls_of_device;
CREATE INDEX CONCURRENTLY calls_of_device ON calls (product, device, accepted_at);
