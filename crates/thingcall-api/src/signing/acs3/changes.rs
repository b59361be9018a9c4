//! Mistakes with the newer signature.

use std::sync::Arc;

use thingcall_core::AccessKey;

use super::{Acs3Way, Blanks, Query, Stringed, Written};
use crate::sign;
use crate::signing::mistakes::Mistake;
use crate::signing::spelling::wrong;
use crate::signing::tries::{Change, Group, change};
use crate::signing::v1::Order;
use crate::signing::{secrets, words};

/// Parameters, decoded, in the order in which they were sent.
type Pairs = Vec<(String, String)>;

/// What a request may have that only some have.
#[derive(Debug, Default)]
pub(in crate::signing) struct Parts {
    /// Its query's pairs, if a `+` on the wire were a plus.
    pub(in crate::signing) plus_kept: Option<Pairs>,
    /// The query as it is written.
    pub(in crate::signing) raw_query: String,
    /// Its form's pairs with those of its query.
    pub(in crate::signing) with_form: Option<Pairs>,
    /// Hosts that it may have been signed for.
    pub(in crate::signing) hosts: Vec<String>,
    /// Headers as they were sent.
    pub(in crate::signing) headers: Vec<(String, String)>,
}

/// All mistakes that are known.
pub(in crate::signing) fn changes(
    right: &Acs3Way,
    key: &AccessKey,
    others: &[Arc<AccessKey>],
    parts: Parts,
) -> Vec<Change<Acs3Way>> {
    let mut all: Vec<_> = parts.hosts.iter().map(|host| of_host(host)).collect();
    all.extend(of_request(&right.method));
    all.extend(of_headers(right, &parts.headers));
    all.extend(of_query(right, parts));
    all.extend(of_string());
    all.extend(wrong().into_iter().map(|(spelling, mistake)| {
        change(Group::Spelling, mistake, move |way: &mut Acs3Way| way.set_query(|_, _, is, _| *is = spelling))
    }));
    for taken in secrets::mistaken(key, others) {
        all.push(change(Group::Secret, taken.mistake, move |way: &mut Acs3Way| way.secret = taken.secret.clone()));
    }
    all
}

fn of_host(host: &str) -> Change<Acs3Way> {
    let (mistake, host) = (words::host(host), host.to_owned());
    change(Group::Headers, mistake, move |way: &mut Acs3Way| {
        way.lines.iter_mut().filter(|(name, _)| name == "host").for_each(|(_, value)| value.clone_from(&host));
    })
}

fn of_request(method: &str) -> Vec<Change<Acs3Way>> {
    let other = if method == "POST" { "GET" } else { "POST" };
    let wrong_method = words::method(method, other);
    vec![
        change(Group::Method, wrong_method, move |way: &mut Acs3Way| other.clone_into(&mut way.method)),
        change(Group::Method, words::METHOD_LOWER_CASE, |way: &mut Acs3Way| way.method.make_ascii_lowercase()),
        change(Group::Path, words::PATH_EMPTY, |way: &mut Acs3Way| way.path.clear()),
        change(Group::Path, words::PATH_ENCODED, |way: &mut Acs3Way| "%2F".clone_into(&mut way.path)),
        change(Group::Hash, words::EMPTY_BODY_HASH, |way: &mut Acs3Way| way.hash = sign::sha256_hex(b"")),
        change(Group::Hash, words::BODY_HASH_MISSING, |way: &mut Acs3Way| way.hash.clear()),
    ]
}

fn of_headers(right: &Acs3Way, sent: &[(String, String)]) -> Vec<Change<Acs3Way>> {
    let mut lines = right.lines.clone();
    lines.sort_unstable();
    let names = lines.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let as_sent = |name: &String| {
        let found = sent.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or_else(|| name.clone(), |(name, _)| name.clone())
    };
    let written: Vec<_> = right.lines.iter().map(|(name, value)| (as_sent(name), value.clone())).collect();
    let sorted = lines.clone();
    let mut all = vec![
        change(Group::Headers, words::SIGNED_HEADERS_NOT_SORTED, move |way: &mut Acs3Way| {
            way.lines.clone_from(&lines);
        }),
        change(Group::Headers, words::SIGNED_HEADERS_SORTED_ELSEWHERE, move |way: &mut Acs3Way| {
            (way.lines, way.names) = (sorted.clone(), names.clone());
        }),
        change(Group::Headers, words::HEADER_NAMES_NOT_LOWER_CASE, move |way: &mut Acs3Way| {
            way.lines.clone_from(&written);
        }),
        change(Group::Join, words::EMPTY_LINE_MISSING, |way: &mut Acs3Way| way.gap = ""),
        change(Group::Join, words::EMPTY_LINE_TWICE, |way: &mut Acs3Way| way.gap = "\n\n"),
    ];
    all.extend(right.lines.iter().take(32).map(|(name, _)| {
        let (mistake, name) = (words::header_line_missing(name), name.clone());
        change(Group::Omitted, mistake, move |way: &mut Acs3Way| way.lines.retain(|(other, _)| *other != name))
    }));
    all
}

fn of_query(right: &Acs3Way, parts: Parts) -> Vec<Change<Acs3Way>> {
    let Parts { plus_kept, raw_query, with_form, .. } = parts;
    let order = |words: words::Words, by: Order| {
        change(Group::Order, words, move |way: &mut Acs3Way| way.set_query(|_, order, _, _| *order = by))
    };
    let text = |words: words::Words, text: String| {
        change(Group::Source, words, move |way: &mut Acs3Way| way.query = Query::Text(text.clone()))
    };
    let mut all = vec![
        order(words::NOT_SORTED, Order::AsSent),
        order(words::SORTED_IGNORING_CASE, Order::IgnoringCase),
        order(words::SORTED_WITH_VALUES, Order::Joined),
        change(Group::Source, words::BLANK_WITHOUT_EQUAL, |way: &mut Acs3Way| {
            way.set_query(|_, _, _, blanks| *blanks = Blanks::WithoutEqual);
        }),
        text(words::QUERY_NOT_SIGNED, String::new()),
        text(words::QUERY_AS_SENT, raw_query),
    ];
    let of_pairs = |group, mistake: Mistake, pairs: Pairs| {
        change(group, mistake, move |way: &mut Acs3Way| way.set_query(|all, _, _, _| all.clone_from(&pairs)))
    };
    all.extend(plus_kept.map(|pairs| of_pairs(Group::Source, words::PLUS_NOT_ENCODED_IN_URL.into(), pairs)));
    all.extend(with_form.map(|pairs| of_pairs(Group::Source, words::FORM_IN_QUERY.into(), pairs)));
    if let Query::Of { pairs, .. } = &right.query {
        all.extend(pairs.iter().take(64).map(|(name, _)| {
            let without = pairs.iter().filter(|(other, _)| other != name).cloned().collect();
            of_pairs(Group::Omitted, words::parameter_not_signed(name), without)
        }));
    }
    all
}

/// Mistakes in what is made of the canonical request.
fn of_string() -> Vec<Change<Acs3Way>> {
    let string = |words: words::Words, is| change(Group::String, words, move |way: &mut Acs3Way| way.string = is);
    let written = |words: words::Words, is| change(Group::Written, words, move |way: &mut Acs3Way| way.written = is);
    vec![
        string(words::REQUEST_NOT_HASHED, Stringed::NotHashed),
        string(words::HASH_UPPER_CASE, Stringed::HashedUpper),
        string(words::ALGORITHM_MISSING, Stringed::HashAlone),
        string(words::NEWLINE_BEHIND, Stringed::HashedThenNewline),
        change(Group::String, words::NEWLINE_BEHIND_REQUEST, |way: &mut Acs3Way| way.end = "\n"),
        written(words::SIGNATURE_UPPER_CASE, Written::HexUpper),
        written(words::SIGNATURE_IN_BASE64, Written::Base64),
        written(words::BY_HMAC_SHA1, Written::OfSha1),
        change(Group::Mac, words::SECRET_WITH_AMPERSAND, |way: &mut Acs3Way| way.suffix = "&"),
    ]
}
