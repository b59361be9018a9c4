//! Mistakes with the older signature.

use std::sync::Arc;

use thingcall_core::AccessKey;

use super::{Mac, Order, V1Way, Written};
use crate::signing::spelling::{Spelling, wrong};
use crate::signing::tries::{Change, Group, change};
use crate::signing::{secrets, words};

/// Parameters, decoded, in the order in which they were sent.
type Pairs = Vec<(String, String)>;

/// What a request may have that only some have.
#[derive(Debug, Default)]
pub(in crate::signing) struct Parts {
    /// Its pairs, if a `+` on the wire were a plus.
    pub(in crate::signing) plus_kept: Option<Pairs>,
    /// Its query's pairs alone, where it has a body.
    pub(in crate::signing) of_query: Option<Pairs>,
}

/// All mistakes that are known.
pub(in crate::signing) fn changes(
    right: &V1Way,
    key: &AccessKey,
    others: &[Arc<AccessKey>],
    parts: Parts,
) -> Vec<Change<V1Way>> {
    let mut all = of_text(&right.method);
    all.extend(of_source(right, parts));
    all.extend(spellings());
    all.extend(of_signature());
    for taken in secrets::mistaken(key, others) {
        all.push(change(Group::Secret, taken.mistake, move |way: &mut V1Way| way.secret = taken.secret.clone()));
    }
    all.extend(right.pairs.iter().take(64).map(|(name, _)| {
        let (mistake, name) = (words::parameter_not_signed(name), name.clone());
        change(Group::Omitted, mistake, move |way: &mut V1Way| way.pairs.retain(|(other, _)| *other != name))
    }));
    all
}

/// Mistakes in what is signed.
fn of_text(method: &str) -> Vec<Change<V1Way>> {
    let other = if method == "POST" { "GET" } else { "POST" };
    let wrong_method = words::method(method, other);
    vec![
        change(Group::Method, wrong_method, move |way: &mut V1Way| other.clone_into(&mut way.method)),
        change(Group::Method, words::METHOD_LOWER_CASE, |way: &mut V1Way| way.method.make_ascii_lowercase()),
        change(Group::Order, words::NOT_SORTED, |way: &mut V1Way| way.order = Order::AsSent),
        change(Group::Order, words::SORTED_IGNORING_CASE, |way: &mut V1Way| way.order = Order::IgnoringCase),
        change(Group::Order, words::SORTED_WITH_VALUES, |way: &mut V1Way| way.order = Order::Joined),
        change(Group::Path, words::PATH_NOT_ENCODED, |way: &mut V1Way| way.slash = "/"),
        change(Group::Join, words::AMPERSAND_BEFORE, |way: &mut V1Way| way.before = "&"),
        change(Group::Join, words::AMPERSAND_BEHIND, |way: &mut V1Way| way.end = "&"),
        change(Group::String, words::NEWLINE_BEHIND, |way: &mut V1Way| way.end = "\n"),
    ]
}

/// Mistakes in what there is to sign.
fn of_source(right: &V1Way, parts: Parts) -> Vec<Change<V1Way>> {
    let mut all = vec![change(Group::Source, words::SIGNATURE_SIGNED, |way: &mut V1Way| {
        way.pairs.push(("Signature".to_owned(), String::new()));
    })];
    if let Some(pairs) = parts.plus_kept {
        let keep = move |way: &mut V1Way| way.pairs.clone_from(&pairs);
        all.push(change(Group::Source, words::PLUS_NOT_ENCODED_IN_URL, keep));
    }
    if let Some(pairs) = parts.of_query {
        all.push(change(Group::Source, words::BODY_NOT_SIGNED, move |way: &mut V1Way| way.pairs.clone_from(&pairs)));
    }
    if right.pairs.iter().any(|(_, value)| value.is_empty()) {
        let leave_out = |way: &mut V1Way| way.pairs.retain(|(_, value)| !value.is_empty());
        all.push(change(Group::Source, words::BLANK_LEFT_OUT, leave_out));
    }
    all
}

fn spellings() -> Vec<Change<V1Way>> {
    let mut all = Vec::new();
    for (spelling, mistake) in wrong() {
        // Most use one function for both; some only for one.
        let of_one = spelling != Spelling::NONE && spelling != Spelling::TWICE;
        if of_one {
            all.push(change(Group::Spelling, mistake.clone(), move |way: &mut V1Way| {
                (way.inner, way.outer) = (spelling, spelling);
            }));
        }
        all.push(change(Group::Spelling, mistake.clone(), move |way: &mut V1Way| way.inner = spelling));
        if of_one {
            all.push(change(Group::Spelling, mistake, move |way: &mut V1Way| way.outer = spelling));
        }
    }
    all.push(change(Group::Spelling, words::QUERY_NOT_ENCODED, |way: &mut V1Way| way.outer = Spelling::NONE));
    all
}

/// Mistakes in how it is signed and written.
fn of_signature() -> Vec<Change<V1Way>> {
    let written = |words: words::Words, form| change(Group::Written, words, move |way: &mut V1Way| way.written = form);
    vec![
        change(Group::Mac, words::SECRET_WITHOUT_AMPERSAND, |way: &mut V1Way| way.suffix = ""),
        change(Group::Mac, words::BY_HMAC_SHA256, |way: &mut V1Way| way.mac = Mac::Sha256),
        written(words::SIGNATURE_PLUS_NOT_ENCODED, Written::PlusAsSpace),
        written(words::SIGNATURE_IN_HEX, Written::Hex),
        written(words::SIGNATURE_HEX_IN_BASE64, Written::HexInBase64),
        written(words::SIGNATURE_WITHOUT_PADDING, Written::Unpadded),
    ]
}
