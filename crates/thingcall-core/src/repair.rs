//! What was mended in a device's answer before it could be read.

use crate::MalformedReply;

macro_rules! repairs {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $member:expr, $wrong:literal);* $(;)?) => {
        /// One thing that devices write and that is not quite right. A product that rejects replies which do not fit
        /// rejects these too.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Repair { $($(#[$doc])* $name),* }

        impl Repair {
            /// All of them, for what has a row for each.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word in metrics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// The answer as one that was not mended: what is wrong with it, and what would be right.
            pub fn unmended(self) -> MalformedReply {
                let (member, problem): (Option<&'static str>, &str) = match self { $(Self::$name => ($member, $wrong)),* };
                match member {
                    None => MalformedReply::NotJson(problem.to_owned()),
                    Some(member) => MalformedReply::Member { member, problem: problem.to_owned() },
                }
            }
        }
    };
}

repairs! {
    /// Firmware that sends its whole buffer.
    TrailingNul = "trailing_nul", None, "zero bytes follow its end; right is nothing after the last }";
    /// A byte order mark before the text.
    ByteOrderMark = "byte_order_mark", None, "a byte order mark stands before it; right is { as the first byte";
    /// `"id":7.0`.
    IdAsFloat = "id_as_float", Some("id"), "has a decimal point; right is the request's id as it was";
    /// `"code":200.0`, as Lua 5.3 writes it.
    CodeAsFloat = "code_as_float", Some("code"), "has a decimal point; right is a whole number such as 200";
    /// `"code":"200"`.
    CodeAsText = "code_as_text", Some("code"), "is a text; right is a whole number such as 200";
    /// `"data":null`.
    DataNull = "data_null", Some("data"), "is null; right is a JSON object";
    /// `"data":[]`, as Lua and PHP write an empty table.
    DataEmptyArray = "data_empty_array", Some("data"), "is []; right is a JSON object";
    /// `"data":""`.
    DataEmptyText = "data_empty_text", Some("data"), "is an empty text; right is a JSON object";
    /// `"data":"{...}"`: the object as a text.
    DataAsText = "data_as_text", Some("data"), "is a text with JSON in it; right is the JSON object itself";
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
        Repair::ALL.iter().copied().filter(move |repair| self.0 & (1 << *repair as u16) != 0)
    }
}
