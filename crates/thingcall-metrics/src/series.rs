//! The series of a family, as a field holds them.

use enum_map::{Enum, EnumArray, EnumMap};
use prometheus::core::{
    Atomic, GenericCounter, GenericCounterVec, GenericGauge, GenericGaugeVec, MetricVec, MetricVecBuilder,
};
use prometheus::{Histogram, HistogramVec};

/// A label: a closed enum. Its list (`enum_map::Enum`) and its words (`strum::IntoStaticStr`) are derived, so that they
/// stand once, at the enum.
pub trait Label: Enum + Copy + Into<&'static str> {}

impl<L: Enum + Copy + Into<&'static str>> Label for L {}

/// What a field holds of the family `F`: one series; or, in an [`EnumMap`], what each value of a label has.
pub trait Series<F>: Sized {
    /// How many labels its type names.
    const LABELS: usize;

    /// Those whose first labels have these values, made at zero. The family has [`Self::LABELS`] more labels than that.
    fn of(family: &F, first: &[&str]) -> Self;
}

impl<P: Atomic> Series<GenericCounterVec<P>> for GenericCounter<P> {
    const LABELS: usize = 0;

    fn of(family: &GenericCounterVec<P>, first: &[&str]) -> Self {
        family.with_label_values(first)
    }
}

impl<P: Atomic> Series<GenericGaugeVec<P>> for GenericGauge<P> {
    const LABELS: usize = 0;

    fn of(family: &GenericGaugeVec<P>, first: &[&str]) -> Self {
        family.with_label_values(first)
    }
}

impl Series<HistogramVec> for Histogram {
    const LABELS: usize = 0;

    fn of(family: &HistogramVec, first: &[&str]) -> Self {
        family.with_label_values(first)
    }
}

impl<F, L: Label + EnumArray<S>, S: Series<F>> Series<F> for EnumMap<L, S> {
    const LABELS: usize = S::LABELS + 1;

    fn of(family: &F, first: &[&str]) -> Self {
        Self::from_fn(|label: L| S::of(family, &[first, &[label.into()]].concat()))
    }
}

/// A registered family with `N` labels. It has the series that were asked for, and no other.
#[derive(Debug)]
pub struct Family<F, const N: usize>(F);

impl<B: MetricVecBuilder, const N: usize> Family<MetricVec<B>, N> {
    /// One whose series can be made: what could fail for one of them fails here.
    pub(crate) fn tried(family: MetricVec<B>) -> Result<Self, prometheus::Error> {
        let words = [""; N];
        drop(family.get_metric_with_label_values(&words)?);
        family.remove_label_values(&words)?;
        Ok(Self(family))
    }

    /// Takes the series with these values out, where it is there: for labels that name what comes and goes.
    pub fn forget(&self, words: [&str; N]) {
        // An error says that it is not there.
        drop(self.0.remove_label_values(&words));
    }

    pub(crate) fn collector(&self) -> MetricVec<B> {
        self.0.clone()
    }

    /// Makes the series whose first labels have these values, all at zero. That there are as many labels as the family has
    /// is seen when this is compiled.
    pub fn series<S: Series<MetricVec<B>>, const P: usize>(&self, first: [&str; P]) -> S {
        const { assert!(P + S::LABELS == N, "the family has another number of labels than the field's type") };
        S::of(&self.0, &first)
    }
}
