//! Lists page by page: `CurrentPage` and `PageSize`.
//!
//! **Invariant:** a page that may not be is refused with a code of its own, and the text says which may.

use thingcall_core::{ErrorCode, Outcome};

use crate::answer::{Fields, Node};
use crate::error::{ActionError, wrong};
use crate::gateway::GatewayError;
use crate::params::Params;

/// Which pages a list has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pages {
    /// The most that a page shows.
    pub(super) size_max: usize,
    /// What it shows where a request does not say; `None`: it must say both.
    pub(super) size_default: Option<usize>,
    /// How far they reach: number times size is no more than this.
    pub(super) reach_max: usize,
}

/// A page that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Counted from 1.
    pub(super) number: usize,
    /// How many it shows at most.
    pub(super) size: usize,
}

impl Pages {
    /// The page that a request asks for.
    pub(super) fn asked(&self, params: &Params<'_>) -> Result<Page, ActionError> {
        let default = |name, default: Option<usize>| default.ok_or(GatewayError::Missing(name));
        let number = match number(params, "CurrentPage", usize::MAX)? {
            Some(number) => number,
            None => default("CurrentPage", self.size_default.map(|_| 1))?,
        };
        let size = match size(params, self.size_max)? {
            Some(size) => size,
            None => default("PageSize", self.size_default)?,
        };
        Ok(Page { number, size })
    }

    /// Whether they reach so far.
    pub(super) fn reach(&self, page: Page, hint: &str) -> Result<(), ActionError> {
        if page.number.saturating_mul(page.size) <= self.reach_max {
            return Ok(());
        }
        let Page { number, size } = page;
        Err(refused(format!(
            "CurrentPage {number} times PageSize {size} is more than {}, which is how far pages reach{hint}",
            self.reach_max
        )))
    }
}

impl Page {
    /// How many stand before it.
    pub(super) const fn skipped(self) -> usize {
        (self.number - 1).saturating_mul(self.size)
    }

    /// Which page it is, and how many there are, as most answers say it.
    pub(super) fn told(self, total: u64) -> Fields {
        vec![
            ("Page", count(self.number)),
            ("PageSize", count(self.size)),
            ("PageCount", self.pages(total)),
            ("Total", count(total)),
        ]
    }

    /// How many pages there are.
    pub(super) fn pages(self, total: u64) -> Node {
        count(total.div_ceil(u64::try_from(self.size).unwrap_or(u64::MAX)))
    }
}

/// A count in an answer.
pub(super) fn count(count: impl TryInto<i64>) -> Node {
    Node::Number(count.try_into().unwrap_or(i64::MAX))
}

/// A page, or what goes with it, that may not be.
pub(super) fn refused(text: impl Into<String>) -> ActionError {
    ActionError::service(ErrorCode::InvalidPageParams, Outcome::InvalidArgs, text)
}

/// How much a page shows at most, where a request says it.
pub(super) fn size(params: &Params<'_>, max: usize) -> Result<Option<usize>, ActionError> {
    number(params, "PageSize", max)
}

fn number(params: &Params<'_>, name: &'static str, max: usize) -> Result<Option<usize>, ActionError> {
    let Some(word) = params.get(name) else { return Ok(None) };
    let number = word.parse().ok().filter(|number| (1..=max).contains(number));
    number.map(Some).ok_or_else(|| {
        let right = if max == usize::MAX { "1 or more".to_owned() } else { format!("1 to {max}") };
        refused(wrong(name, word, &right))
    })
}
