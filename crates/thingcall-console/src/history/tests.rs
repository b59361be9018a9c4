//! An hour is kept, and what happened in a part of it is the difference of two looks.

use super::*;

fn look(seconds: i64, ok: u32, timeout: u32) -> Look {
    let text = format!(
        "thingcall_calls_total{{outcome=\"ok\"}} {ok}\nthingcall_calls_total{{outcome=\"timeout\"}} {timeout}\n\
         thingcall_call_duration_seconds_bucket{{le=\"0.1\"}} {ok}\n\
         thingcall_call_duration_seconds_bucket{{le=\"+Inf\"}} {}\n",
        ok + timeout
    );
    Look::of(&Figures::read(&text), UnixMillis(seconds * 1000))
}

#[test]
fn an_hour_is_kept_and_no_more() {
    let history = History::default();
    (0..1000).for_each(|number| history.take(look(number * 10, 0, 0)));
    let now = look(10_000, 0, 0);
    assert_eq!(history.whole(&now).from, UnixMillis((1000 - 361) * 10_000));
    assert_eq!(history.parts(6, &now).len(), 61);
    let first = history.parts(7, &now).first().map(|part| part.from);
    assert_eq!(first, Some(UnixMillis((1000 - 361) * 10_000)), "no look is left out");
}

#[test]
fn a_part_is_what_happened_in_it() {
    let history = History::default();
    [look(0, 5, 1), look(10, 5, 1), look(20, 25, 2)].into_iter().for_each(|look| history.take(look));
    let parts = history.parts(1, &look(25, 26, 2));
    let told: Vec<_> = parts.iter().map(|part| (part.calls(), part.failed(), part.seconds())).collect();
    assert_eq!(told, [(0.0, 0.0, 10.0), (21.0, 1.0, 10.0), (1.0, 0.0, 5.0)]);
    assert_eq!(history.whole(&look(25, 26, 2)).calls(), 22.0);
}

#[test]
fn before_the_first_look_everything_is_new() {
    let now = look(3, 7, 0);
    assert_eq!(History::default().whole(&now).calls(), 7.0);
    assert!(History::default().parts(6, &now).is_empty());
}
