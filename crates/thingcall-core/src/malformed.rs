//! Why what comes back from a device cannot be read.

/// Why an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedReply {
    /// Not a JSON object.
    #[error("the reply is not a JSON object: {0}")]
    NotJson(String),
    /// A member that every reply has is missing or of the wrong type.
    #[error("the reply's member {member:?} {problem}")]
    Member {
        /// The member's name.
        member: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The device speaks its own bytes, and they could not be translated; the text says why.
    #[error("the reply's bytes cannot be translated: {0}")]
    Untranslated(String),
    /// Larger than configured.
    #[error("the reply has {bytes} bytes; {max} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}
