//! The load: HTTP calls on as many connections as calls may be in flight, the same for whoever is measured.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::cpu;
use crate::pace::{Pace, Plan};
use crate::report::Report;
use crate::requests::Requests;
use crate::wire::Wire;

/// How long after the last call answers may come: longer than any call may take.
const LAST_ANSWERS: Duration = Duration::from_secs(20);

/// What an answer must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The call's own parameter, in the device's result.
    Result,
    /// The same, as peers answer it.
    Json,
    /// A MessageId.
    MessageId,
    /// Nothing of the call.
    Success,
}

/// Makes calls for the time of the plan, on connections to these addresses in turn; the processor time is that of these
/// processes.
///
/// # Errors
/// If the server cannot be reached at all, or answers more calls than there are requests.
pub(crate) async fn measure(
    addresses: &[String],
    (requests, expected): (Requests, Expected),
    plan: Plan,
    pids: &[u32],
) -> anyhow::Result<Report> {
    // All that takes time comes before the clock starts; a report is not small.
    let mut ready = Vec::new();
    for address in addresses.iter().cycle().take(plan.in_flight as usize) {
        ready.push((Wire::connect(address).await?, Report::new(plan.measured)?));
    }
    let requests = Arc::new(requests);
    let pace = Pace::new(plan);
    let mut running = JoinSet::new();
    for (wire, report) in ready {
        running.spawn(Calling { wire, requests: requests.clone(), expected, pace: pace.clone() }.run(report));
    }
    sleep_until(pace.counted_from()).await;
    let own = [std::process::id()];
    let before = (cpu::used(pids), cpu::used(&own));
    sleep_until(pace.end()).await;
    let after = (cpu::used(pids), cpu::used(&own));
    let mut report = Report::new(plan.measured)?;
    while let Some(part) = running.join_next().await {
        report.add(&part??)?;
    }
    let during = |before: Option<Duration>, after: Option<Duration>| Some(after?.saturating_sub(before?));
    report.used(during(before.0, after.0).filter(|_| !pids.is_empty()), during(before.1, after.1));
    Ok(report)
}

/// The calls of one connection.
struct Calling {
    wire: Wire,
    requests: Arc<Requests>,
    expected: Expected,
    pace: Arc<Pace>,
}

impl Calling {
    async fn run(mut self, mut report: Report) -> anyhow::Result<Report> {
        // One timer for all calls of the connection.
        let mut over = pin!(sleep_until(self.pace.end() + LAST_ANSWERS));
        while let Some((number, due)) = self.pace.next().await {
            let (request, param) = self.requests.of(number)?;
            let called = tokio::select! {
                biased;
                called = self.wire.ask(request) => called,
                () = &mut over => Err(anyhow::anyhow!("no answer")),
            };
            match called.map(|(status, body)| self.expected.failure(status, body, param)) {
                Ok(None) if self.pace.counts(due, Instant::now()) => report.took(due.elapsed()),
                Ok(Some(code)) if self.pace.counts_failure(Instant::now()) => report.failed(&code),
                Ok(_) => {}
                // Of no use any more, whenever it was.
                Err(error) => {
                    report.failed(&error.to_string());
                    break;
                }
            }
        }
        Ok(report)
    }
}

impl Expected {
    /// The code of the failure, if the answer is not what it must be. An answer of another call is none.
    pub(crate) fn failure(self, status: u16, body: &[u8], param: usize) -> Option<String> {
        let has = |text: &str| std::str::from_utf8(body).is_ok_and(|body| body.contains(text));
        let own = match self {
            Self::Json if status != 200 => return Some(format!("HTTP {status}")),
            Self::Json => return (!holds(body, r#""param1":"#, param)).then(|| ANOTHERS.to_owned()),
            // JSON within JSON.
            Self::Result => holds(body, r#"\"param1\":"#, param),
            Self::MessageId => has(r#""MessageId":""#),
            Self::Success => true,
        };
        if own && has(r#""Success":true"#) { None } else { Some(why(status, body)) }
    }
}

const ANOTHERS: &str = "the answer of another call";

/// Whether a body holds this number behind this name, and no longer one.
fn holds(body: &[u8], name: &str, number: usize) -> bool {
    let after = std::str::from_utf8(body).unwrap_or_default().split_once(name);
    let rest = after.and_then(|(_, after)| after.trim_start().strip_prefix(&number.to_string()));
    rest.is_some_and(|rest| rest.trim_start().starts_with([',', '}']))
}

/// What a failure says.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    success: bool,
    code: Option<String>,
}

/// Why it is not.
fn why(status: u16, body: &[u8]) -> String {
    match serde_json::from_slice::<Body>(body) {
        Ok(answer) if answer.success => ANOTHERS.to_owned(),
        Ok(answer) => answer.code.unwrap_or_else(|| "no code".to_owned()),
        Err(_) => format!("HTTP {status} with a body that is not of this API"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_another_call_does_not_count() {
        let body = |param: &str| format!(r#"{{"Success":true,"Data":{{"Result":"{{\"param1\":{param}}}"}}}}"#);
        let failure = |body: String| Expected::Result.failure(200, body.as_bytes(), 7);
        assert_eq!(failure(body("7")), None);
        assert_eq!(failure(body("70")).as_deref(), Some(ANOTHERS));
        assert_eq!(failure(body("7").replace("true", "false")).as_deref(), Some("no code"));
        assert_eq!(failure(r#"{"Success":false,"Code":"iot.x"}"#.to_owned()).as_deref(), Some("iot.x"));
    }

    #[test]
    fn an_asynchronous_call_is_accepted_with_its_id() {
        let failure = |body: &[u8]| Expected::MessageId.failure(200, body, 7);
        assert_eq!(failure(br#"{"Success":true,"Data":{"MessageId":"12"}}"#), None);
        assert!(failure(br#"{"Success":true}"#).is_some());
    }

    #[test]
    fn an_answer_of_a_peer_holds_its_own_parameter_alone() {
        let own = |body: &str| Expected::Json.failure(200, body.as_bytes(), 12).is_none();
        assert!(own(r#"{"param1":12}"#));
        assert!(own(r#"{"device":"a", "param1": 12 , "b":1}"#));
        assert!(!own(r#"{"param1":123}"#));
        assert!(!own(r#"{"param1":"12"}"#));
        assert!(!own(""));
        assert_eq!(Expected::Json.failure(504, br#"{"param1":12}"#, 12).as_deref(), Some("HTTP 504"));
    }
}
