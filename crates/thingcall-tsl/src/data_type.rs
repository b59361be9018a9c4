//! The data types of thing models.
//!
//! **Invariant:** a type nests at most [`crate::limits::DATA_TYPE_DEPTH_MAX`] deep, its lowest bound is not above its
//! highest; reading a model sees to it.

use std::fmt;

use thingcall_core::Identifier;

use crate::words::{cut, list};

/// What a value may be. Its `Display` says it in words: `an int from 0 to 7`.
///
/// `step`, `unit` and the names of units are for people and not kept here: devices round as they can, so no value is refused
/// for its step.
#[derive(Debug, Clone, PartialEq)]
pub enum DataType {
    /// A whole number of 32 bits.
    Int {
        /// The lowest.
        min: i32,
        /// The highest.
        max: i32,
    },
    /// A number that a 32-bit float can hold.
    Float(Bounds),
    /// A number that a 64-bit float can hold.
    Double(Bounds),
    /// A text.
    Text {
        /// Its longest length in bytes of UTF-8, which is how Alibaba counts.
        bytes_max: usize,
    },
    /// A text of milliseconds since 1970 in UTC.
    Date,
    /// 0 or 1, never `true` or `false`.
    Bool {
        /// What 0 means.
        no: String,
        /// What 1 means.
        yes: String,
    },
    /// One of these numbers; any of 32 bits where the model names none.
    Enum(Vec<(i32, String)>),
    /// Several values of one type.
    Array {
        /// How many at most. Fewer may be there: devices send what they have.
        items_max: usize,
        /// What each is.
        item: Box<DataType>,
    },
    /// Named values; any where the model names none.
    Struct(Vec<Field>),
    /// Any value: an item of an array whose model does not say of what.
    Any,
}

/// The bounds of a float or a double, both allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Bounds {
    /// What a float can hold.
    pub(crate) const FLOAT: Self = Self { min: f32::MIN as f64, max: f32::MAX as f64 };
    /// What a double can hold.
    pub(crate) const DOUBLE: Self = Self { min: f64::MIN, max: f64::MAX };
}

impl DataType {
    /// Its word in thing models; empty for a value of any kind.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Int { .. } => "int",
            Self::Float(_) => "float",
            Self::Double(_) => "double",
            Self::Text { .. } => "text",
            Self::Date => "date",
            Self::Bool { .. } => "bool",
            Self::Enum(_) => "enum",
            Self::Array { .. } => "array",
            Self::Struct(_) => "struct",
            Self::Any => "",
        }
    }
}

/// A parameter or result of a service, or a member of a struct.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub(crate) id: Identifier,
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) required: bool,
}

impl Field {
    /// Its identifier: the key in arguments and replies.
    pub fn id(&self) -> &Identifier {
        &self.id
    }

    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its value may be.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Whether it must be there: yes, unless the model says `"required": false`.
    pub fn required(&self) -> bool {
        self.required
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int { min, max } => write!(f, "an int from {min} to {max}"),
            Self::Float(bounds) if *bounds == Bounds::FLOAT => f.write_str("a float"),
            Self::Float(bounds) => write!(f, "a float from {bounds}"),
            Self::Double(bounds) if *bounds == Bounds::DOUBLE => f.write_str("a double"),
            Self::Double(bounds) => write!(f, "a double from {bounds}"),
            Self::Text { bytes_max } => write!(f, "a text of at most {bytes_max} bytes"),
            Self::Date => f.write_str("a date, which is a text of milliseconds since 1970 in UTC"),
            Self::Bool { no, yes } => {
                write!(f, "a bool, which is {} or {}", Key(0, no), Key(1, yes))
            }
            Self::Enum(keys) if keys.is_empty() => f.write_str("an enum, which is a whole number"),
            Self::Enum(keys) => {
                let keys = keys.iter().map(|(key, name)| Key(*key, name).to_string().into());
                write!(f, "an enum, which is one of {}", list(keys, None))
            }
            Self::Array { items_max, item } => {
                write!(f, "an array of at most {items_max} items, each {item}")
            }
            Self::Any => f.write_str("of any kind"),
            Self::Struct(fields) if fields.is_empty() => f.write_str("a struct, which is an object"),
            Self::Struct(fields) => {
                let names = fields.iter().map(|field| field.id.as_str().into());
                write!(f, "a struct of {}", list(names, None))
            }
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", decimal(self.min), decimal(self.max))
    }
}

/// A key of a bool or an enum and what it means.
struct Key<'n>(i32, &'n str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            "" => write!(f, "{}", self.0),
            name => write!(f, "{} ({})", self.0, cut(name).escape_debug()),
        }
    }
}

/// A float as callers must write it, with a decimal point: `10.0`, `1.0e20`.
pub(crate) fn decimal(value: f64) -> String {
    with_point(&format!("{value:?}"))
}

/// The number with a decimal point, if it has none.
pub(crate) fn with_point(number: &str) -> String {
    if number.contains('.') {
        return number.to_owned();
    }
    match number.find(['e', 'E']) {
        None => format!("{number}.0"),
        Some(at) => {
            let (digits, exponent) = number.split_at(at);
            format!("{digits}.0{exponent}")
        }
    }
}
