//! What `/metrics` says at one moment.

use std::collections::BTreeMap;

/// The samples of one scrape: name with labels, as written, to value.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// The text, as scraped.
    pub text: String,
    samples: BTreeMap<String, f64>,
}

impl Metrics {
    /// Reads the text form.
    pub fn parse(text: &str) -> Self {
        let samples = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
        Self { text: text.to_owned(), samples: samples.collect() }
    }

    /// The sum of the samples of this name that have all these labels, each written `name="value"`.
    ///
    /// # Panics
    /// If there is none: every series is there from the start.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let fits = |sample: &str| {
            let (base, rest) = sample.split_once('{').unwrap_or((sample, ""));
            base == name && labels.iter().all(|label| rest.trim_end_matches('}').split(',').any(|has| has == *label))
        };
        let found: Vec<f64> = self.samples.iter().filter(|(sample, _)| fits(sample)).map(|(_, value)| *value).collect();
        assert!(!found.is_empty(), "no sample of {name} with {labels:?} in\n{}", self.text);
        found.iter().sum()
    }

    /// How many samples there are.
    pub fn series(&self) -> usize {
        self.samples.len()
    }
}
