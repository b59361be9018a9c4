//! What the caller is told.

use super::*;

fn tally(forwards: u32, accepted: u32, failures: &[CallError]) -> Tally {
    Tally { forwards, accepted, unsent: 0, failures: failures.to_vec() }
}

fn answered(code: i32) -> Completion {
    Completion::Answered { code, message: Some("m".to_owned()), data: r#"{"v":1}"#.to_owned() }
}

fn told(mode: CallMode, mut tally: Tally, completion: Completion) -> Result<Answer, CallError> {
    answer("p", mode, &mut tally, completion).0
}

fn replied(code: i64) -> Result<Answer, CallError> {
    Ok(Answer::Replied(ReplyBody { code, message: Some("m".to_owned()), data: r#"{"v":1}"#.to_owned() }))
}

fn executed(result: &Result<Answer, CallError>) -> Executed {
    match result {
        Err(CallError::Plugin { executed, why }) => {
            assert!(why.starts_with("plugin p: "), "{why}");
            *executed
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_code_is_the_callers_in_both_modes() {
    for mode in [CallMode::Sync, CallMode::Async] {
        for code in [200, 460, -7, i32::MAX] {
            assert_eq!(told(mode, tally(0, 0, &[]), answered(code)), replied(code.into()));
        }
    }
}

#[test]
fn an_asynchronous_call_is_on_its_way_once_a_command_is() {
    for code in [200, 202] {
        assert_eq!(told(CallMode::Async, tally(2, 1, &[]), answered(code)), Ok(Answer::Accepted));
    }
    assert_eq!(told(CallMode::Async, tally(1, 1, &[]), answered(460)), replied(460));
}

#[test]
fn code_202_without_a_command_on_its_way_is_a_fault_of_the_plugin() {
    assert_eq!(executed(&told(CallMode::Async, tally(0, 0, &[]), answered(202))), Executed::No);
    assert_eq!(executed(&told(CallMode::Async, tally(1, 0, &[]), answered(202))), Executed::Maybe);
    assert_eq!(executed(&told(CallMode::Sync, tally(1, 0, &[]), answered(202))), Executed::Maybe);
}

#[test]
fn a_status_passed_on_is_the_very_error_of_the_device() {
    let offline = CallError::Offline("pk/dn".to_owned());
    let timeout = CallError::Timeout { device: "pk/dn".to_owned(), waited_ms: 5, hint: None };
    let failed = |fault| Completion::Failed { fault, message: "x".to_owned() };
    let mut twice = Tally { forwards: 2, ..Tally::default() };
    twice.note(&Err(offline.clone()));
    twice.note(&Err(offline.clone()));
    assert_eq!(answer("p", CallMode::Sync, &mut twice, failed(Fault::Offline)).0, Err(offline.clone()));
    assert_eq!(told(CallMode::Sync, tally(2, 0, &[offline, timeout.clone()]), failed(Fault::Timeout)), Err(timeout));
    assert_eq!(executed(&told(CallMode::Sync, tally(2, 0, &[]), failed(Fault::Offline))), Executed::Maybe);
    assert_eq!(executed(&told(CallMode::Sync, tally(0, 0, &[]), failed(Fault::Offline))), Executed::No);
}

#[test]
fn nobody_is_told_that_nothing_was_sent_while_another_command_was() {
    let offline = || Err(CallError::Offline("pk/dn".to_owned()));
    let late = Err(CallError::Timeout { device: "pk/dn".to_owned(), waited_ms: 5, hint: None });
    for other in [Some(late), Some(Ok(Answer::Accepted)), None] {
        let mut tally = Tally { forwards: 2, ..Tally::default() };
        tally.note(&offline());
        if let Some(other) = other {
            tally.note(&other);
        }
        let failed = Completion::Failed { fault: Fault::Offline, message: String::new() };
        assert_eq!(executed(&answer("p", CallMode::Sync, &mut tally, failed).0), Executed::Maybe);
    }
}

#[test]
fn of_two_failures_with_one_status_the_last_counts() {
    let mut tally = Tally::default();
    tally.note(&Err(CallError::Offline("first".to_owned())));
    tally.note(&Err(CallError::WentOffline("last".to_owned())));
    let failed = Completion::Failed { fault: Fault::Offline, message: String::new() };
    let told = answer("p", CallMode::Sync, &mut tally, failed).0;
    assert_eq!(told, Err(CallError::WentOffline("last".to_owned())));
}

#[test]
fn ends_are_counted_as_what_they_are() {
    let counted = |completion| answer("p", CallMode::Sync, &mut Tally::default(), completion).1;
    let failed = |fault| Completion::Failed { fault, message: String::new() };
    assert_eq!(counted(answered(200)), CallEnd::Ok);
    assert_eq!(counted(answered(460)), CallEnd::Declined);
    assert_eq!(counted(answered(202)), CallEnd::Error);
    assert_eq!(counted(failed(Fault::Panic)), CallEnd::Panic);
    assert_eq!(counted(failed(Fault::Internal)), CallEnd::Error);
    assert_eq!(counted(Completion::Broken("x".to_owned())), CallEnd::Error);
}
