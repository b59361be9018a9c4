//! What a reader wants, and since which place: what it wanted before counts for what was written before.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use thingcall_core::{MessageKind, ProductKey, Wanted};

/// Since which place what is wanted, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wishes(Vec<(i64, Wanted)>);

/// A wish as rows hold it: kinds by product, with `*` for every product that is not named.
type Row = (i64, BTreeMap<String, Vec<String>>);

/// No product is called so.
const OTHERS: &str = "*";

impl Wishes {
    /// As a row holds them. What cannot be read, a newer release's perhaps, is left out.
    pub(crate) fn read(text: &str) -> Self {
        let rows: Vec<Row> = serde_json::from_str(text).unwrap_or_default();
        Self(rows.into_iter().map(|(since, kinds)| (since, wanted(kinds))).collect())
    }

    /// For a row.
    pub(crate) fn to_text(&self) -> String {
        let rows: Vec<Row> = self.0.iter().map(|(since, wanted)| (*since, kinds(wanted))).collect();
        // Texts and numbers can always be written.
        serde_json::to_string(&rows).unwrap_or_default()
    }

    /// What is wanted of what is written from now on.
    pub(crate) fn now(&self) -> Option<&Wanted> {
        self.0.last().map(|(_, wanted)| wanted)
    }

    /// From the place `since` on, this is wanted. What counts for nothing behind `position` is forgotten.
    pub(crate) fn change(&mut self, since: i64, wanted: Wanted, position: i64) {
        if self.now() != Some(&wanted) {
            self.0.retain(|(before, _)| *before < since);
            self.0.push((since, wanted));
        }
        let old = self.0.iter().skip(1).take_while(|(since, _)| *since <= position.saturating_add(1)).count();
        self.0.drain(..old);
    }

    /// What is wanted at these places, part by part.
    pub(crate) fn at(&self, places: RangeInclusive<i64>) -> impl Iterator<Item = (RangeInclusive<i64>, &Wanted)> {
        let ends = self.0.iter().skip(1).map(|(since, _)| since.saturating_sub(1)).chain([i64::MAX]);
        self.0.iter().zip(ends).filter_map(move |((since, wanted), end)| {
            let part = *places.start().max(since)..=end.min(*places.end());
            (!part.is_empty() && !wanted.of.iter().all(|(_, kinds)| kinds.is_empty())).then_some((part, wanted))
        })
    }
}

fn wanted(kinds: BTreeMap<String, Vec<String>>) -> Wanted {
    let product = |word: &str| if word == OTHERS { Some(None) } else { ProductKey::try_from(word).ok().map(Some) };
    let of = kinds.iter().filter_map(|(word, kinds)| {
        Some((product(word)?, kinds.iter().filter_map(|kind| kind.parse::<MessageKind>().ok()).collect()))
    });
    Wanted { of: of.collect() }
}

fn kinds(wanted: &Wanted) -> BTreeMap<String, Vec<String>> {
    let word = |product: &Option<ProductKey>| product.as_ref().map_or(OTHERS.to_owned(), ToString::to_string);
    let words = |kinds: &thingcall_core::MessageKinds| kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    wanted.of.iter().map(|(product, kinds)| (word(product), words(kinds))).collect()
}

/// A wish as statements take it: `PRODUCT KIND`, the kinds of products that are not named, and those that are.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) pairs: Vec<String>,
    pub(crate) others: Vec<String>,
    pub(crate) named: Vec<String>,
}

impl Lines {
    /// Those of a wish.
    pub(crate) fn of(wanted: &Wanted) -> Self {
        let mut lines = Self::default();
        for (product, kinds) in &wanted.of {
            match product {
                Some(product) => {
                    lines.pairs.extend(kinds.iter().map(|kind| format!("{product} {}", kind.as_str())));
                    lines.named.push(product.to_string());
                }
                None => lines.others.extend(kinds.iter().map(|kind| kind.as_str().to_owned())),
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests;
