//! A value of a model's file and where it stands.

use crate::json::Json;
use crate::problem::Collected;
use crate::words::{in_member, nearest};

/// A value of a model's file and its JSON path. Never `null`: that is as good as not there.
#[derive(Debug, Clone)]
pub(super) struct Node<'j> {
    pub(super) place: String,
    pub(super) json: &'j Json<'j>,
}

impl<'j> Node<'j> {
    pub(super) fn root(json: &'j Json<'j>) -> Self {
        Self { place: "$".to_owned(), json }
    }

    /// The member of this name; `None` if there is none or this is no object.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        let Json::Object(members) = self.json else { return None };
        let (_, json) = members.iter().find(|(key, json)| key == name && *json != Json::Null)?;
        Some(Self { place: format!("{}.{name}", self.place), json })
    }

    /// The member of this name, which must be there and is `what`.
    pub(super) fn required(&self, name: &str, what: &str, problems: &mut Collected) -> Option<Self> {
        let member = self.member(name);
        match (&member, self.json) {
            (Some(_), _) => {}
            (None, Json::Object(_)) => problems.add(&self.place, format!("has no {name}"), format!("write {what}")),
            (None, _) => {
                problems.add(&self.place, format!("is {}", self.json.kind()), format!("write an object with {name}"));
            }
        }
        member
    }

    /// The items of the member of this name; none if it is not there.
    pub(super) fn array(&self, name: &str, problems: &mut Collected) -> Vec<Self> {
        self.member(name).map_or_else(Vec::new, |member| member.items(problems))
    }

    /// The items; none, and a problem, if it is no array.
    pub(super) fn items(&self, problems: &mut Collected) -> Vec<Self> {
        let Json::Array(items) = self.json else {
            problems.add(&self.place, format!("is {}", self.json.kind()), "write an array: [...]");
            return Vec::new();
        };
        let item = |(index, json)| Self { place: format!("{}[{index}]", self.place), json };
        items.iter().enumerate().map(item).collect()
    }

    /// Warns of members that have another name than these: nobody reads them.
    pub(super) fn known(&self, names: &[&str], problems: &mut Collected) {
        let Json::Object(members) = self.json else { return };
        for (name, _) in members.iter().filter(|(name, _)| !names.contains(&&**name)) {
            let mut place = String::new();
            in_member(&mut place, name);
            let right = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => "what it says has no effect".to_owned(),
            };
            problems.warn(&format!("{}{place}", self.place), "is not known and not read", right);
        }
    }

    /// The text; `None`, and a problem, if it is none.
    pub(super) fn text(&self, problems: &mut Collected) -> Option<&'j str> {
        let Json::Text(text) = self.json else {
            problems.add(&self.place, format!("is {}", self.json.kind()), "write a text");
            return None;
        };
        Some(text)
    }

    /// The text, or the number's text: model files have numbers as either.
    pub(super) fn scalar(&self) -> Option<&'j str> {
        match self.json {
            Json::Text(text) => Some(text.trim()),
            Json::Number(number) => Some(number),
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
        }
    }
}
