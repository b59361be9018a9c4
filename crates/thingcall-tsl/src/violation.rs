//! Why arguments or a reply do not fit.

use enum_map::Enum;
use strum::IntoStaticStr;

/// What does not fit, and where.
///
/// Its `Display` is one line for the caller: where, what was found, what would be right. It quotes what was found, so
/// it belongs into answers, not into logs; logs take [`Self::kind`] and [`Self::path`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} {text}")]
pub struct Violation {
    /// The kind of fault.
    pub kind: ViolationKind,
    /// Where: `Args`, `Items` (properties to set) or `data` (a reply's), then members and indexes, such as `Args.window.from` or `data.samples[3]`.
    pub path: String,
    /// What was found and what would be right; goes on where the path ends: `is 9, ...`.
    pub text: String,
}

/// The kinds of violations, as metrics tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ViolationKind {
    /// Not one JSON object, a key twice, or nested too deep.
    Syntax,
    /// A parameter or member that must be there is not.
    Missing,
    /// Another type than the model's.
    Type,
    /// A number outside its bounds, or a key its enum does not have.
    Range,
    /// A text or an array that is too long.
    Length,
    /// A name the model does not have.
    Unknown,
    /// A property that the model does not let anybody set.
    ReadOnly,
}

impl ViolationKind {
    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
