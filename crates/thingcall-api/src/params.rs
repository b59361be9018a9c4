//! The parameters of a request: query and form body together.
//!
//! **Invariant:** decoded, sorted by name in byte order, in one piece for every action: some SDKs put business
//! parameters in the body, some put everything there, some nothing.

use std::borrow::Cow;

use form_urlencoded::parse;

use crate::gateway::GatewayError;

/// Decoded parameters.
#[derive(Debug)]
pub(crate) struct Params<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// There were more than are read.
    cut: bool,
}

impl<'a> Params<'a> {
    /// How many parameters a request may have.
    pub(crate) const COUNT_MAX: usize = 1024;

    /// Reads a query and a form body. `+` is a space; blank values are kept, since they are signed.
    pub(crate) fn read(query: &'a str, form: &'a [u8]) -> Self {
        let mut all = parse(query.as_bytes()).chain(parse(form));
        let mut pairs: Vec<_> = all.by_ref().take(Self::COUNT_MAX).collect();
        pairs.sort_unstable();
        Self { pairs, cut: all.next().is_some() }
    }

    /// Refuses what could be read in two ways.
    pub(crate) fn check(&self) -> Result<(), GatewayError> {
        if self.cut {
            return Err(GatewayError::TooManyParameters { max: Self::COUNT_MAX });
        }
        let nul = self.pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0'));
        if let Some((name, _)) = nul {
            return Err(GatewayError::Nul(name.replace('\0', "").chars().take(64).collect()));
        }
        let twice = self.pairs.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if a == b => Some(a),
            _ => None,
        });
        twice.map_or(Ok(()), |name| Err(GatewayError::Duplicate(name.to_string())))
    }

    /// The value of a parameter; `None` if it is absent or blank.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let at = self.pairs.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        self.pairs.get(at).map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there.
    pub(crate) fn need(&self, name: &'static str) -> Result<&str, GatewayError> {
        self.get(name).ok_or(GatewayError::Missing(name))
    }

    /// The values of `name.1`, `name.2`, ... up to the first that is absent, at most `max` and one.
    pub(crate) fn list(&self, name: &str, max: usize) -> Vec<&str> {
        (1..=max.saturating_add(1)).map_while(|i| self.get(&format!("{name}.{i}"))).collect()
    }

    /// All pairs but one name's, sorted.
    pub(crate) fn without<'s>(&'s self, name: &'s str) -> impl Iterator<Item = (&'s str, &'s str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value)).filter(move |(other, _)| *other != name)
    }

    /// All pairs, sorted.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }
}

#[cfg(test)]
mod tests;
