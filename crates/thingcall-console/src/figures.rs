//! The program's metrics, read from the text that Prometheus reads.

use std::collections::BTreeMap;

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// Its name, with the suffix of a histogram's parts.
    pub(crate) name: String,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Its value.
    pub(crate) value: f64,
}

/// All series.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    /// Reads the text; lines that are none are left out.
    pub(crate) fn read(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(figure).collect())
    }

    /// Those with this name.
    pub(crate) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Figure> {
        self.0.iter().filter(move |figure| figure.name == name)
    }

    /// The sum of those with this name; `None` if there is none.
    pub(crate) fn sum(&self, name: &str) -> Option<f64> {
        self.of(name).map(|figure| figure.value).reduce(|a, b| a + b)
    }

    /// The sums of those with this name, by one label.
    pub(crate) fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for figure in self.of(name) {
            *sums.entry(figure.labels.get(label).cloned().unwrap_or_default()).or_default() += figure.value;
        }
        sums
    }

    /// The buckets of a histogram, over all its labels.
    pub(crate) fn buckets(&self, name: &str) -> Buckets {
        let sums = self.by(&format!("{name}_bucket"), "le");
        let mut all: Vec<_> = sums.into_iter().filter_map(|(edge, count)| Some((edge.parse().ok()?, count))).collect();
        all.sort_by(|(a, _): &(f64, f64), (b, _)| a.total_cmp(b));
        Buckets(all)
    }

    /// The names there are, each once.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let mut before = "";
        self.0
            .iter()
            .map(|figure| figure.name.as_str())
            .filter(move |name| std::mem::replace(&mut before, name) != *name)
    }
}

/// How many took at most so long, by the upper edge of each bucket, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// Those that came since other ones were read.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let of = |edge: f64| before.0.iter().find(|(other, _)| *other == edge).map_or(0.0, |(_, count)| *count);
        Self(self.0.iter().map(|(edge, count)| (*edge, (count - of(*edge)).max(0.0))).collect())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// The edges between which this share of them lies; the upper one is infinite where they took longer than the last bucket.
    pub(crate) fn quantile(&self, share: f64) -> Option<(f64, f64)> {
        let wanted = (self.count() * share).max(f64::MIN_POSITIVE);
        let at = self.0.iter().position(|(_, count)| *count >= wanted)?;
        let below = at.checked_sub(1).and_then(|below| self.0.get(below)).map_or(0.0, |(edge, _)| *edge);
        self.0.get(at).map(|(edge, _)| (below, *edge))
    }
}

fn figure(line: &str) -> Option<Figure> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else {
        return Some(Figure { name: series.to_owned(), labels: BTreeMap::new(), value });
    };
    Some(Figure { name: name.to_owned(), labels: read_labels(labels.strip_suffix('}')?), value })
}

/// `name="value"`, with commas between them; in a value, `\` stands before `"`, `\` and `n`.
fn read_labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, behind)) = rest.split_once("=\"") {
        let (mut value, mut escaped, mut end) = (String::new(), false, behind.len());
        for (at, char) in behind.char_indices() {
            match (escaped, char) {
                (false, '"') => {
                    end = at;
                    break;
                }
                (false, '\\') => escaped = true,
                (true, 'n') => (escaped, value) = (false, value + "\n"),
                (_, other) => {
                    escaped = false;
                    value.push(other);
                }
            }
        }
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        rest = behind.get(end + 1..).unwrap_or_default();
    }
    labels
}

#[cfg(test)]
mod tests;
