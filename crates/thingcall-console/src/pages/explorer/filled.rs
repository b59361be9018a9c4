//! What a visitor filled in, or an address says in place of that.
//!
//! **Invariant:** as it was sent, with the spaces around it.

use std::collections::BTreeMap;

use crate::form::Form;

/// What was filled in.
#[derive(Debug, Default)]
pub(super) struct Filled {
    fields: BTreeMap<String, String>,
    is_sent: bool,
}

impl Filled {
    /// What an address says.
    pub(super) fn asked(query: Option<&str>) -> Self {
        let fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { fields, is_sent: false }
    }

    /// What a form says.
    pub(super) fn sent(form: &Form) -> Self {
        let fields = form.all().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { fields, is_sent: true }
    }

    /// Whether a form was sent.
    pub(super) const fn is_sent(&self) -> bool {
        self.is_sent
    }

    /// What a field holds; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}
