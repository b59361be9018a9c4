//! Which plugins cannot be active together.

use std::fmt;
use std::path::PathBuf;

/// Two plugins want the same. Both are named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// One name, two files.
    #[error("both {} and {} hold a plugin named {name}; remove one of the two", active.display(), new.display())]
    Name {
        /// The name.
        name: String,
        /// The file that is active.
        active: PathBuf,
        /// The file that is refused.
        new: PathBuf,
    },
    /// One claim, two plugins that handle it.
    #[error("plugin {active} handles {claim} already, so {new} cannot; {}", Advice { new, key: "claims", order: true })]
    Claim {
        /// The claim.
        claim: String,
        /// Who has it.
        active: String,
        /// Who is refused.
        new: String,
    },
    /// One claim, two plugins at the same place in front of the others.
    #[error("plugins {active} and {new} both claim {claim} with order {order}; give {new} another order")]
    Order {
        /// The claim.
        claim: String,
        /// The order.
        order: i32,
        /// Who has it.
        active: String,
        /// Who is refused.
        new: String,
    },
    /// One claim, and a plugin that has it and is not loaded.
    #[error(
        "{what} is kept for plugin {holder}, which is not loaded, so {new} cannot have it; load {holder}, or free its claims \
         with `thingcall plugin forget {holder}`"
    )]
    Kept {
        /// The claim, or the product whose messages are translated.
        what: String,
        /// Who had it last.
        holder: String,
        /// Who is refused.
        new: String,
    },
    /// One product, two translators.
    #[error(
        "plugin {active} translates for {} already, so {new} cannot; {}",
        Products(product), Advice { new, key: "codecs", order: false }
    )]
    Codec {
        /// The product key, or `*`.
        product: String,
        /// Who has it.
        active: String,
        /// Who is refused.
        new: String,
    },
}

impl Conflict {
    /// The same with a plugin that is not loaded.
    pub(crate) fn kept(self) -> Self {
        match self {
            Self::Claim { claim: what, active: holder, new } | Self::Order { claim: what, active: holder, new, .. } => {
                Self::Kept { what, holder, new }
            }
            Self::Codec { product, active: holder, new } => {
                Self::Kept { what: format!("the translation for {}", Products(&product)), holder, new }
            }
            Self::Name { .. } | Self::Kept { .. } => self,
        }
    }

    /// The plugin that is in the way.
    pub(crate) fn active(&self) -> &str {
        match self {
            Self::Name { name, .. } => name,
            Self::Kept { holder, .. } => holder,
            Self::Claim { active, .. } | Self::Order { active, .. } | Self::Codec { active, .. } => active,
        }
    }
}

/// What to write into which section.
struct Advice<'a> {
    new: &'a str,
    key: &'a str,
    order: bool,
}

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set other {}", self.key)?;
        if self.order {
            write!(f, ", or an order to stand in front of it,")?;
        }
        write!(f, " in [plugins.{}]", self.new)
    }
}

struct Products<'a>(&'a str);

impl fmt::Display for Products<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == "*" { f.write_str("all products (*)") } else { write!(f, "product {}", self.0) }
    }
}
