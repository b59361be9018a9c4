//! Whether devices of a product may come for their secrets by themselves, and what they prove then.

use std::fmt;

/// Letters and digits in a product's secret.
const CHARS: usize = 16;

/// How devices of a product come to their secrets by themselves. One that is off keeps the secret: firmware has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Who may.
    pub who: Registrants,
    /// What they prove.
    pub secret: ProductSecret,
}

/// Which devices may come for their secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registrants {
    /// None.
    Off,
    /// Those that are registered and have never connected.
    Registered,
    /// Any: who is not registered is, when it comes.
    Any,
}

/// A product's secret (`ProductSecret`): 16 letters and digits. Never printed.
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProductSecret([u8; CHARS]);

/// A text that is no product's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a product's secret is {CHARS} of A-Z a-z 0-9")]
pub struct NoProductSecret;

impl ProductSecret {
    /// The text itself, for computing with it and where it is shown on purpose: to its operator, and by QueryProduct.
    pub fn expose(&self) -> &str {
        // Of letters and digits only.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl TryFrom<&str> for ProductSecret {
    type Error = NoProductSecret;

    fn try_from(text: &str) -> Result<Self, NoProductSecret> {
        let bytes = text.as_bytes().try_into().map_err(|_| NoProductSecret)?;
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) { Ok(Self(bytes)) } else { Err(NoProductSecret) }
    }
}

impl TryFrom<String> for ProductSecret {
    type Error = NoProductSecret;

    fn try_from(text: String) -> Result<Self, NoProductSecret> {
        Self::try_from(&*text)
    }
}

impl From<ProductSecret> for String {
    fn from(secret: ProductSecret) -> Self {
        secret.expose().to_owned()
    }
}

impl fmt::Debug for ProductSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
