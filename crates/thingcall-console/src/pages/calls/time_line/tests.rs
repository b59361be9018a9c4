//! A time line is drawn to scale, whatever the record says.

use serde_json::json;

use super::*;

#[test]
fn steps_stand_in_the_order_in_which_they_happened_each_where_the_one_before_ended() {
    let call = json!({ "timesUs": { "told": 10_000, "checked": 100, "answered": 9_900, "sent": 400 } });
    let steps: Vec<_> = read(&call).iter().map(|step| (step.name, step.from, step.to)).collect();
    assert_eq!(steps, [("checked", 0, 100), ("sent", 100, 400), ("answered", 400, 9_900), ("told", 9_900, 10_000)]);
}

#[test]
fn a_bar_is_as_long_as_its_share_and_ends_within_the_picture() {
    let call = json!({ "timesUs": { "checked": 250, "sent": 1000, "told": 1000 } });
    let drawn = draw(Lang::En, &call).into_string();
    for bar in [r#"x="0.00" y="2" height="12" width="250.00""#, r#"x="250.00" y="2" height="12" width="750.00""#] {
        assert!(drawn.contains(bar), "{bar} is not in {drawn}");
    }
    assert!(drawn.contains(r#"x="996.00" y="2" height="12" width="4.00""#), "{drawn}");
}

#[test]
fn a_call_without_times_has_none() {
    assert_eq!(draw(Lang::En, &json!({})).into_string(), "");
    assert_eq!(draw(Lang::Zh, &json!({ "timesUs": { "checked": "x" } })).into_string(), "");
}

#[test]
fn the_wait_for_an_answer_that_did_not_come_is_the_devices() {
    let call = json!({ "outcome": "timeout", "timesUs": { "checked": 1, "sent": 2, "told": 8_000_000 } });
    assert_eq!(read(&call).last().map(|step| whose(step.name)), Some("device"));
    let refused = json!({ "outcome": "timeout", "timesUs": { "checked": 1, "told": 8_000_000 } });
    assert_eq!(read(&refused).last().map(|step| whose(step.name)), Some("own"));
}
