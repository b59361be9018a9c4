//! Which configurations are refused, and with what words.
