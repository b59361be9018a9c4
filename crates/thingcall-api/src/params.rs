//! The parameters of a request: query and form body together.
//!
//! **Invariant:** decoded, sorted by name in byte order, in one piece for every action: some SDKs put business
//! parameters in the body, some put everything there, some nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;

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

    /// The values of `name.1`, `name.2`, and so on, all of them; none where each is blank.
    ///
    /// # Errors
    /// If there is one that would not be read: behind a gap, under another number or none, or blank beside others. Who named it means it, and
    /// an action that takes a list without it for everything would do more than was asked.
    pub(crate) fn list(&self, name: &'static str) -> Result<Vec<&str>, GatewayError> {
        let count = self.count(name, &[""])?;
        let values: Vec<_> = (1..=count).map(|nth| self.get(&format!("{name}.{nth}"))).collect();
        if values.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        values.into_iter().collect::<Option<_>>().ok_or_else(|| unread(name, "one of them is blank", ""))
    }

    /// How many of `name.1`, `name.2`, and so on there are, each with some of these endings.
    ///
    /// # Errors
    /// As those of [`Params::list`].
    pub(crate) fn count(&self, name: &'static str, endings: &[&str]) -> Result<usize, GatewayError> {
        let mut numbers = BTreeSet::new();
        for (given, _) in self.all() {
            let Some(rest) = given.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with('.')) else {
                continue;
            };
            let number = numbered(rest, endings);
            let shown: String = given.chars().take(64).collect();
            numbers.insert(
                number.ok_or_else(|| unread(name, &format!("{shown:?} is none of them"), endings_of(endings)))?,
            );
        }
        match numbers.last() {
            Some(last) if *last != numbers.len() => {
                let gap = (1..).find(|nth| !numbers.contains(nth)).unwrap_or(1);
                Err(unread(name, &format!("there is a number {last} and no number {gap}"), endings_of(endings)))
            }
            Some(_) | None => Ok(numbers.len()),
        }
    }

    /// Refuses a list of this name, or a single value, also a blank one, where none may be; with these words.
    ///
    /// # Errors
    /// If there is one.
    pub(crate) fn has_none(&self, name: &'static str, problem: &str) -> Result<(), GatewayError> {
        let is_of = |given: &str| given.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if self.all().any(|(given, _)| is_of(given)) {
            return Err(GatewayError::Invalid { name, problem: problem.to_owned() });
        }
        Ok(())
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

/// The number behind a list's name, if what stands there is one and one of these endings.
fn numbered(rest: &str, endings: &[&str]) -> Option<usize> {
    let rest = rest.strip_prefix('.')?;
    let (digits, ending) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let number = digits.parse().ok().filter(|number| *number > 0)?;
    (!digits.starts_with('0') && endings.contains(&ending)).then_some(number)
}

fn endings_of<'a>(endings: &[&'a str]) -> &'a str {
    endings.first().copied().unwrap_or_default()
}

fn unread(name: &'static str, what: &str, ending: &str) -> GatewayError {
    let problem =
        format!("{what}; right are {name}.1{ending}, {name}.2{ending} and so on, none left out and none blank");
    GatewayError::Invalid { name, problem }
}

#[cfg(test)]
mod tests;
