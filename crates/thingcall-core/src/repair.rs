//! What was mended in a device's answer before it could be read.

use enum_map::Enum;
use strum::{IntoStaticStr, VariantArray};

use crate::MalformedReply;

/// One thing that devices write and that is not quite right. A product that rejects replies which do not fit rejects these
/// too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Repair {
    /// Firmware that sends its whole buffer.
    TrailingNul,
    /// A byte order mark before the text.
    ByteOrderMark,
    /// `"id":7.0`.
    IdAsFloat,
    /// `"code":200.0`, as Lua 5.3 writes it.
    CodeAsFloat,
    /// `"code":"200"`.
    CodeAsText,
    /// `"data":null`.
    DataNull,
    /// `"data":[]`, as Lua and PHP write an empty table.
    DataEmptyArray,
    /// `"data":""`.
    DataEmptyText,
    /// `"data":"{...}"`: the object as a text.
    DataAsText,
}

impl Repair {
    /// The word in metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The answer as one that was not mended: what is wrong with it, and what would be right.
    pub fn unmended(self) -> MalformedReply {
        let (member, problem) = match self {
            Self::TrailingNul => (None, "zero bytes follow its end; right is nothing after the last }"),
            Self::ByteOrderMark => (None, "a byte order mark stands before it; right is { as the first byte"),
            Self::IdAsFloat => (Some("id"), "has a decimal point; right is the request's id as it was"),
            Self::CodeAsFloat => (Some("code"), "has a decimal point; right is a whole number such as 200"),
            Self::CodeAsText => (Some("code"), "is a text; right is a whole number such as 200"),
            Self::DataNull => (Some("data"), "is null; right is a JSON object"),
            Self::DataEmptyArray => (Some("data"), "is []; right is a JSON object"),
            Self::DataEmptyText => (Some("data"), "is an empty text; right is a JSON object"),
            Self::DataAsText => (Some("data"), "is a text with JSON in it; right is the JSON object itself"),
        };
        match member {
            None => MalformedReply::NotJson(problem.to_owned()),
            Some(member) => MalformedReply::Member { member, problem: problem.to_owned() },
        }
    }
}

/// Everything that was mended in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repairs(u16);

impl Repairs {
    /// Nothing was.
    pub const NONE: Self = Self(0);

    /// Whether nothing was.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds one.
    pub const fn add(&mut self, repair: Repair) {
        self.0 |= 1 << repair as u16;
    }

    /// Each one.
    pub fn iter(self) -> impl Iterator<Item = Repair> {
        Repair::VARIANTS.iter().copied().filter(move |repair| self.0 & (1 << *repair as u16) != 0)
    }
}
