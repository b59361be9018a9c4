//! The parameters of a request: query and form body together.
//!
//! **Invariant:** decoded, sorted by name in byte order, in one piece for every action: some SDKs put business
//! parameters in the body, some put everything there, some nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::decode::{Part, Piece, piece};
use crate::gateway::GatewayError;

/// Decoded parameters.
#[derive(Debug)]
pub(crate) struct Params<'a> {
    pairs: Vec<Pair<'a>>,
    /// There were more than are read.
    cut: bool,
    /// The query is written as it is signed.
    canonical_query: bool,
    /// A name or a value may have a NUL.
    may_have_nul: bool,
}

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Room for so many is made at once: a request signed with parameters has twelve or thirteen.
const PAIRS_USUALLY: usize = 16;
/// Among so many a name is found sooner by looking at each.
const PAIRS_FEW: usize = 32;

impl<'a> Params<'a> {
    /// How many parameters a request may have.
    pub(crate) const COUNT_MAX: usize = 1024;

    /// Reads a query and a form body. `+` is a space; blank values are kept, since they are signed.
    pub(crate) fn read(query: &'a str, form: &'a [u8]) -> Self {
        let mut params = Self { pairs: Vec::with_capacity(PAIRS_USUALLY), ..Self::empty() };
        params.append(query);
        let mut sorted = params.pairs.is_sorted();
        params.canonical_query &= sorted;
        if !form.is_empty() {
            let canonical_query = params.canonical_query;
            match std::str::from_utf8(form) {
                Ok(form) => params.append(form),
                Err(_) => params.append_broken(form),
            }
            params.canonical_query = canonical_query;
            sorted = params.pairs.is_sorted();
        }
        if !sorted {
            params.pairs.sort_unstable();
        }
        params
    }

    const fn empty() -> Self {
        Self { pairs: Vec::new(), cut: false, canonical_query: true, may_have_nul: false }
    }

    /// Reads `name=value` joined with `&`.
    fn append(&mut self, mut rest: &'a str) {
        loop {
            // Nothing, or nothing more, stands between two signs, which a canonical text has not.
            while let Some(behind) = rest.strip_prefix('&') {
                self.canonical_query = false;
                rest = behind;
            }
            if rest.is_empty() {
                return;
            }
            if self.pairs.len() == Self::COUNT_MAX {
                self.cut = true;
                return;
            }
            let (name, behind) = piece(rest, Part::Name);
            let (value, behind) = match behind.strip_prefix('=') {
                Some(value) => piece(value, Part::Value),
                None => (Piece { text: Cow::Borrowed(""), canonical: false }, behind),
            };
            self.canonical_query &= name.canonical && value.canonical;
            self.may_have_nul |= name.has_nul() || value.has_nul();
            self.pairs.push((name.text, value.text));
            let Some(next) = behind.strip_prefix('&') else { return };
            self.canonical_query &= !next.is_empty();
            rest = next;
        }
    }

    /// Reads the same of what is not UTF-8 as it stands. It may be together with what is decoded; else it is replaced.
    fn append_broken(&mut self, text: &'a [u8]) {
        let mut all = form_urlencoded::parse(text);
        let room = Self::COUNT_MAX - self.pairs.len();
        self.pairs.extend(all.by_ref().take(room));
        self.cut |= all.next().is_some();
        self.may_have_nul = true;
    }

    /// Whether the query is, as it was sent, the text that is signed of it: a caller may spell it in many ways, and SDKs
    /// mostly send what they signed.
    pub(crate) const fn query_is_canonical(&self) -> bool {
        self.canonical_query && !self.cut
    }

    /// Refuses what could be read in two ways.
    pub(crate) fn check(&self) -> Result<(), GatewayError> {
        if self.cut {
            return Err(GatewayError::TooManyParameters { max: Self::COUNT_MAX });
        }
        let has_nul = |(name, value): &&Pair<'_>| name.contains('\0') || value.contains('\0');
        if self.may_have_nul
            && let Some((name, _)) = self.pairs.iter().find(has_nul)
        {
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
        let found = if self.pairs.len() <= PAIRS_FEW {
            self.pairs.iter().find(|(other, _)| other == name)
        } else {
            let at = self.pairs.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
            self.pairs.get(at)
        };
        found.map(|(_, value)| &**value).filter(|value| !value.is_empty())
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
