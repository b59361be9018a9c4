//! Who may have something done.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::from_browser;

fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
    list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

#[test]
fn a_tool_that_says_the_header_may() {
    assert_eq!(from_browser(&headers(&[("x-thingcall", "1")])), None);
}

#[test]
fn a_web_page_may_not_whatever_header_it_says() {
    for page in [
        headers(&[]),
        headers(&[("x-thingcall", "0")]),
        headers(&[("x-thingcall", "1"), ("origin", "http://127.0.0.1:9464")]),
        headers(&[("x-thingcall", "1"), ("sec-fetch-site", "same-origin")]),
        headers(&[("x-thingcall", "1"), ("sec-fetch-site", "cross-site")]),
    ] {
        assert!(from_browser(&page).is_some(), "{page:?}");
    }
}
