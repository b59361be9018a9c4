//! How a call's steps are drawn.

use thingcall_core::CallTimes;

use super::*;

fn call(steps: &[(CallStep, u64)]) -> KeptCall {
    let mut times = CallTimes::default();
    steps.iter().for_each(|(step, at)| times.set_micros(*step, *at));
    KeptCall {
        source: CallSource::Records,
        place: 1,
        request_id: "R".to_owned(),
        call_id: None,
        action: Some("Do".to_owned()),
        device: "pk/dn".to_owned(),
        service: "do".to_owned(),
        key_id: Some("k".to_owned()),
        mode: Some("sync".to_owned()),
        state: None,
        outcome: Some(Outcome::Ok),
        code: None,
        executed: Some("yes".to_owned()),
        stage: Some("answer".to_owned()),
        transport: None,
        plugin: None,
        instance: None,
        text: None,
        hint: None,
        accepted_at: UnixMillis(0),
        times,
        args: Some(r#"{"a":10.0}"#.to_owned()),
        reply_code: None,
        data: None,
        late: None,
        trace_id: None,
    }
}

#[test]
fn each_step_has_its_share_of_the_whole() {
    let steps = [(CallStep::Checked, 100), (CallStep::Sent, 200), (CallStep::Answered, 900), (CallStep::Told, 1000)];
    let lines = time_line(&call(&steps));
    let squeezed: Vec<_> = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        squeezed,
        [
            "0 ms accepted",
            "0.100 ms +0.100 ms 10% checked ##",
            "0.200 ms +0.100 ms 10% sent ##",
            "0.900 ms +0.700 ms 70% answered by the device ################",
            "1.000 ms +0.100 ms 10% told ##",
        ]
    );
}

#[test]
fn where_only_the_end_is_known_nothing_is_drawn_and_no_time_is_no_division() {
    assert!(time_line(&call(&[(CallStep::Told, 1000)])).is_empty());
    assert_eq!(time_line(&call(&[(CallStep::Checked, 0), (CallStep::Told, 0)])).len(), 3);
}

#[test]
fn numbers_in_arguments_stay_as_they_were_written() {
    let json = as_json(&call(&[(CallStep::Told, 1500)]));
    assert_eq!(json["args"].to_string(), r#"{"a":10.0}"#);
    assert_eq!((&json["elapsedUs"], json.get("code")), (&Value::from(1500), None));
    assert_eq!(as_row(&call(&[(CallStep::Told, 1500)]))[7], "1.500");
}

#[test]
fn of_an_asynchronous_call_what_is_known_in_milliseconds_is_told_in_those() {
    let steps = [(CallStep::Checked, 312), (CallStep::Turn, 6_969_000), (CallStep::Sent, 6_970_000)];
    let of_journal =
        KeptCall { source: CallSource::Journal, ..call(&[&steps[..], &[(CallStep::Told, 7_000_000)]].concat()) };
    let lines = time_line(&of_journal);
    let squeezed: Vec<_> = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let begin = |line: usize, text: &str| assert!(squeezed[line].starts_with(text), "{squeezed:?}");
    begin(1, "0.312 ms +0.312 ms 0% checked");
    begin(2, "6969.000 ms +6968.688 ms 99% had its turn");
    begin(3, "6970 ms +1 ms 0% sent");
    begin(4, "7000 ms +30 ms 0% ended");
    assert_eq!(as_row(&of_journal)[7], "7000");
}
