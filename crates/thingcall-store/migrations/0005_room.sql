-- What is filled and emptied to see whether the store has room again, after it was seen to have none.
CREATE TABLE room (filled BLOB);
INSERT INTO room VALUES (NULL);
