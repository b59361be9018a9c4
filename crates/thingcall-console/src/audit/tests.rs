//! What is noted of requests that no change was made of.

use super::*;

#[test]
fn a_request_that_changed_nothing_says_why() {
    assert_eq!(outcome(StatusCode::SEE_OTHER, None), "NoLogin");
    assert_eq!(outcome(StatusCode::SEE_OTHER, Some("k")), "done");
    assert_eq!(outcome(StatusCode::FORBIDDEN, Some("k")), "403");
}

#[test]
fn of_those_whom_proxies_name_the_last_one_counts() {
    let mut headers = HeaderMap::new();
    assert_eq!(forwarded(&headers), None);
    headers.append(FORWARDED, "1.1.1.1".parse().unwrap());
    headers.append(FORWARDED, "6.6.6.6, 10.0.0.9".parse().unwrap());
    assert_eq!(forwarded(&headers), Some("10.0.0.9".parse().unwrap()));
}
