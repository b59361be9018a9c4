//! How questions are read, and which are not.
