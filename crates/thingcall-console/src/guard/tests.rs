//! What a browser must say of a form.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::is_own;

fn own(pairs: &[(&'static str, &'static str)]) -> bool {
    let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    is_own(&pairs.collect::<HeaderMap>())
}

#[test]
fn a_form_is_taken_from_a_page_of_this_server_alone() {
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    let host = ("host", "127.0.0.1:8090");
    assert!(own(&[FORM, host, ("origin", "http://127.0.0.1:8090"), ("sec-fetch-site", "same-origin")]));
    assert!(own(&[FORM, host, ("origin", "http://127.0.0.1:8090")]), "an older browser");
    assert!(own(&[FORM, host, ("sec-fetch-site", "same-origin")]));
    assert!(!own(&[FORM, host, ("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")]));
    assert!(!own(&[FORM, host, ("origin", "http://127.0.0.1:9090"), ("sec-fetch-site", "same-site")]));
    assert!(!own(&[FORM, host, ("origin", "null")]));
    assert!(!own(&[FORM, host]), "who says nothing is no browser that shows our pages");
    assert!(!own(&[host, ("origin", "http://127.0.0.1:8090"), ("content-type", "text/plain")]));
}
