//! Series that products may have of their own.
//!
//! **Invariant:** which products have some is known at the start, and no other ever gets any: all others are [`Shown::OTHER`] together. Where
//! none has, there is no such label.

use std::ops::Index;

use thingcall_core::ProductKey;

use crate::Shown;

/// The products that have series of their own.
#[derive(Debug)]
pub(crate) struct Products(Vec<ProductKey>);

/// Which series are a product's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProductLabel(usize);

impl ProductLabel {
    /// Those of all other products.
    pub(crate) const OTHER: Self = Self(0);
}

impl Products {
    pub(crate) fn new(products: &[ProductKey]) -> Self {
        let mut all = products.to_vec();
        all.sort_unstable();
        all.dedup();
        Self(all)
    }

    /// Which series are this product's: a look at each of a few short texts at most.
    pub(crate) fn label(&self, product: &ProductKey) -> ProductLabel {
        if self.0.is_empty() {
            return ProductLabel::OTHER;
        }
        self.0.binary_search(product).map_or(ProductLabel::OTHER, |at| ProductLabel(at + 1))
    }

    /// Whether none has.
    pub(crate) const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the series of each, by its word.
    pub(crate) fn series<S>(&self, make: impl Fn(&str) -> S) -> OfProducts<S> {
        let listed = self.0.iter().map(|product| make(product.as_str())).collect();
        OfProducts { other: make(Shown::OTHER), listed }
    }
}

/// The series of each product.
#[derive(Debug)]
pub(crate) struct OfProducts<S> {
    other: S,
    /// By their labels, which begin at 1.
    listed: Vec<S>,
}

impl<S> OfProducts<S> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &S> {
        std::iter::once(&self.other).chain(&self.listed)
    }
}

impl<S> Index<ProductLabel> for OfProducts<S> {
    type Output = S;

    fn index(&self, ProductLabel(label): ProductLabel) -> &S {
        label.checked_sub(1).and_then(|at| self.listed.get(at)).unwrap_or(&self.other)
    }
}
