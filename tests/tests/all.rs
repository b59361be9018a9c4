//! All end-to-end tests, as one program: one file of `tests/` for each part of what is promised.
