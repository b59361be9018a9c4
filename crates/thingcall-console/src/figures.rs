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

    /// The names there are, each once.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let mut before = "";
        self.0
            .iter()
            .map(|figure| figure.name.as_str())
            .filter(move |name| std::mem::replace(&mut before, name) != *name)
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
