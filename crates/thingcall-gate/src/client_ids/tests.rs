//! Whose a client id of free text is, over time.
