//! Frames of STOMP, read and written.
