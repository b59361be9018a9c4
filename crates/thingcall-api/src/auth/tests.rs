//! Time is told by the clock that is given.

use super::*;

struct NoKeys;

impl Keys for NoKeys {
    fn key(&self, _: &str) -> Option<Arc<AccessKey>> {
        None
    }
}

#[test]
fn a_request_may_be_fifteen_minutes_off_and_no_more() {
    let now = clock::parse("2026-01-02T03:00:00Z").unwrap();
    let auth = Authenticator::new(Arc::new(NoKeys), &Config::default(), Arc::new(|| UnixMillis(0)), None);
    for fits in ["2026-01-02T02:45:00Z", "2026-01-02T03:15:00Z"] {
        assert!(auth.check_time(fits, now).is_ok(), "{fits}");
    }
    for off in ["2026-01-02T02:44:59Z", "2026-01-02T03:15:01Z"] {
        let refused = auth.check_time(off, now);
        assert_eq!(refused, Err(GatewayError::Expired { off_seconds: 901, max_seconds: 900 }), "{off}");
    }
}

#[test]
fn a_time_has_one_form() {
    let auth = Authenticator::new(Arc::new(NoKeys), &Config::default(), Arc::new(|| UnixMillis(0)), None);
    for text in
        ["", "now", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z ", "2026-13-02T03:04:05Z", "20260102T030405.00Z"]
    {
        assert!(matches!(auth.check_time(text, UnixMillis(0)), Err(GatewayError::TimeFormat(_))), "{text:?}");
    }
}

#[test]
fn what_was_signed_before_the_start_is_refused_also_after_the_clock_was_set_back() {
    let start = clock::parse("2026-01-02T03:00:00Z").unwrap();
    let auth =
        Authenticator::new(Arc::new(NoKeys), &Config::default(), Arc::new(move || UnixMillis(start.0 + 700)), None);
    let now = UnixMillis(start.0 + 60_000);
    assert!(auth.check_time("2026-01-02T03:00:00Z", now).is_ok(), "requests tell whole seconds");
    assert_eq!(auth.check_time("2026-01-02T02:59:58Z", now), Err(GatewayError::BeforeStart { seconds: 2 }));
    let set_back = UnixMillis(start.0 - 3_600_000);
    assert!(auth.check_time("2026-01-02T02:00:00Z", set_back).is_ok());
    assert!(auth.check_time("2026-01-02T01:59:58Z", set_back).is_err());
}
