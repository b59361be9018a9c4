//! go-auth's questions, in both forms.
