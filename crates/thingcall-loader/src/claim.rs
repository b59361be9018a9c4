//! What a plugin may claim: `mod:svc`, `svc`, `mod:*`, `:*` or `*`, each optionally for one product (`PK/...`).
//!
//! **Invariant:** every claim has one text; equal claims have equal texts.

use std::fmt;
use std::str::FromStr;

use thingcall_core::{Call, Identifier, ModuleId, Problem, ProductKey, ServiceId};

/// Calls that a plugin handles.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Claim {
    /// The product it holds for; `None` for all.
    pub(crate) product: Option<ProductKey>,
    /// The services.
    pub(crate) scope: Scope,
}

/// Which services a claim covers, the most specific first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// One service.
    Service(ServiceId),
    /// A whole module; `None` for the default one.
    Module(Option<ModuleId>),
    /// Every service.
    All,
}

impl Claim {
    /// Whether it covers this call.
    pub(crate) fn fits(&self, call: &Call) -> bool {
        self.product.as_ref().is_none_or(|product| *product == call.device.key.product)
            && match &self.scope {
                Scope::Service(service) => *service == call.service,
                Scope::Module(module) => *module == call.service.module,
                Scope::All => true,
            }
    }
}

/// A text that is no claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} {text:?} is wrong: {why}; right are module:service, service, module:*, :* and *, each also after PRODUCT/"
)]
pub struct ClaimError {
    what: &'static str,
    text: String,
    why: String,
}

impl ClaimError {
    /// As a problem of this key.
    pub(crate) fn problem(&self, key: &str) -> Problem {
        let right = match self.what {
            "codec" => "product keys, or *",
            _ => "module:service, service, module:*, :* or *, each also after PRODUCT/",
        };
        Problem::new(key, format_args!("{:?} ({})", self.text, self.why), right)
    }
}

impl FromStr for Claim {
    type Err = ClaimError;

    fn from_str(text: &str) -> Result<Self, ClaimError> {
        let wrong = |why: String| ClaimError { what: "claim", text: text.chars().take(120).collect(), why };
        let (product, scope) = match text.split_once('/') {
            Some((product, scope)) => {
                (Some(ProductKey::try_from(product).map_err(|error| wrong(error.to_string()))?), scope)
            }
            None => (None, text),
        };
        let module = |text: &str| ModuleId::try_from(text).map_err(|error| wrong(error.to_string()));
        let service = |text: &str| Identifier::try_from(text).map_err(|error| wrong(error.to_string()));
        let scope = match scope.split_once(':') {
            None if scope == "*" => Scope::All,
            None => Scope::Service(ServiceId { module: None, service: service(scope)? }),
            Some(("", "*")) => Scope::Module(None),
            Some((name, "*")) => Scope::Module(Some(module(name)?)),
            Some((name, one)) => Scope::Service(ServiceId { module: Some(module(name)?), service: service(one)? }),
        };
        Ok(Self { product, scope })
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(product) = &self.product {
            write!(f, "{product}/")?;
        }
        match &self.scope {
            Scope::Service(service) => write!(f, "{service}"),
            Scope::Module(Some(module)) => write!(f, "{module}:*"),
            Scope::Module(None) => f.write_str(":*"),
            Scope::All => f.write_str("*"),
        }
    }
}

/// Products whose devices' bytes a plugin translates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CodecClaim {
    /// One product.
    Product(ProductKey),
    /// Every product that nobody else translates for.
    All,
}

impl FromStr for CodecClaim {
    type Err = ClaimError;

    fn from_str(text: &str) -> Result<Self, ClaimError> {
        if text == "*" {
            return Ok(Self::All);
        }
        ProductKey::try_from(text).map(Self::Product).map_err(|error| ClaimError {
            what: "codec",
            text: text.chars().take(120).collect(),
            why: error.to_string(),
        })
    }
}

impl fmt::Display for CodecClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(product) => write!(f, "{product}"),
            Self::All => f.write_str("*"),
        }
    }
}

/// Reads a list of claims; double ones count once.
pub(crate) fn parse_all<T: FromStr<Err = ClaimError> + Ord>(texts: &[String]) -> Result<Vec<T>, ClaimError> {
    let mut claims = texts.iter().map(|text| text.parse()).collect::<Result<Vec<T>, _>>()?;
    claims.sort();
    claims.dedup();
    Ok(claims)
}

#[cfg(test)]
mod tests;
