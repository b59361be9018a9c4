-- Places in traces that messages belong to: traceparent, and tracestate behind a blank. Few have one.
CREATE TABLE message_traces (seq BIGINT PRIMARY KEY, trace TEXT NOT NULL);
