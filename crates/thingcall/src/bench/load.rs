//! The load: HTTP calls on as many connections as calls may be in flight, the same for whoever is measured.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use thingcall_api::sign::{self, Signer};
use thingcall_core::UnixMillis;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::pace::{Pace, Plan};
use super::report::Report;
use super::wire::Wire;
use super::{Qos, cpu};
use crate::client::Body;

/// How long after the last call answers may come: longer than any call may take.
const LAST_ANSWERS: Duration = Duration::from_secs(20);

/// How calls are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Signature {
    /// Within the query, as the older SDKs do
    V1,
    /// With headers (ACS3-HMAC-SHA256), as the newer ones do
    Acs3,
}

/// Whom to call and how.
#[derive(Clone)]
pub(super) struct Calls {
    pub(super) url: String,
    pub(super) devices: Arc<[String]>,
    pub(super) form: Form,
}

/// How a call looks.
#[derive(Clone)]
pub(super) enum Form {
    /// InvokeThingService, signed.
    Service(Service),
    /// `{"device":...,"param1":...}`, as the peers take it; the answer holds `param1`.
    Json,
}

/// What goes into each InvokeThingService.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) signer: Signer,
    pub(super) signature: Signature,
    pub(super) product: String,
    pub(super) identifier: &'static str,
    pub(super) qos: Qos,
    pub(super) expected: Expected,
}

/// What an answer must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The call's own parameter, in the device's result.
    Result,
    /// A MessageId.
    MessageId,
    /// Nothing of the call.
    Success,
}

/// Makes calls for the time of the plan; the processor time is that of these processes.
///
/// # Errors
/// If the server cannot be reached at all.
pub(super) async fn measure(calls: &Calls, plan: Plan, pids: &[u32]) -> anyhow::Result<Report> {
    // All that takes time comes before the clock starts; a report is not small.
    let mut ready = Vec::new();
    for _ in 0..plan.in_flight {
        ready.push((Wire::connect(&calls.url).await?, Report::new(plan.measured)?));
    }
    let pace = Pace::new(plan);
    let mut running = JoinSet::new();
    for (wire, report) in ready {
        running.spawn(Calling { wire, calls: calls.clone(), pace: pace.clone() }.run(report));
    }
    sleep_until(pace.counted_from()).await;
    let before = cpu::used(pids);
    sleep_until(pace.end()).await;
    let after = cpu::used(pids);
    let mut report = Report::new(plan.measured)?;
    while let Some(part) = running.join_next().await {
        report.add(&part?)?;
    }
    if let (Some(before), Some(after), [_, ..]) = (before, after, pids) {
        report.used(after.saturating_sub(before));
    }
    Ok(report)
}

/// The calls of one connection.
struct Calling {
    wire: Wire,
    calls: Calls,
    pace: Arc<Pace>,
}

impl Calling {
    async fn run(mut self, mut report: Report) -> Report {
        // One timer for all calls of the connection.
        let mut over = pin!(sleep_until(self.pace.end() + LAST_ANSWERS));
        while let Some((number, due)) = self.pace.next().await {
            let called = tokio::select! {
                biased;
                called = self.calls.call(&mut self.wire, number) => called,
                () = &mut over => Err(anyhow::anyhow!("no answer")),
            };
            match called {
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
        report
    }
}

impl Calls {
    /// The code of the failure, if it failed. Also checks that the answer is this call's.
    async fn call(&self, wire: &mut Wire, number: u64) -> anyhow::Result<Option<String>> {
        let index = usize::try_from(number).unwrap_or(0) % self.devices.len().max(1);
        let device = self.devices.get(index).context("no devices")?;
        let param = number % 1000;
        match &self.form {
            Form::Service(service) => service.call(wire, device, param).await,
            Form::Json => {
                let headers = [("host", wire.host()), ("content-type", "application/json".to_owned())];
                let body = format!(r#"{{"device":"{device}","param1":{param}}}"#);
                let (status, body) = wire.post("/", &headers, &body).await?;
                Ok(match status {
                    200 if holds(body, r#""param1":"#, param) => None,
                    200 => Some(ANOTHERS.to_owned()),
                    status => Some(format!("HTTP {status}")),
                })
            }
        }
    }
}

impl Service {
    async fn call(&self, wire: &mut Wire, device: &str, param: u64) -> anyhow::Result<Option<String>> {
        let args = format!(r#"{{"param1":{param}}}"#);
        let params = [
            ("ProductKey", self.product.as_str()),
            ("DeviceName", device),
            ("Identifier", self.identifier),
            ("Args", &args),
            ("Qos", self.qos.digit()),
        ];
        // QoS 0 is what a caller who does not care leaves out.
        let params = if self.qos == Qos::Zero { params.get(..4).unwrap_or(&params) } else { &params };
        let (action, host, now) = ("InvokeThingService", wire.host(), UnixMillis::now());
        let (status, body) = match self.signature {
            Signature::V1 => {
                let query = sign::v1_request("POST", action, params, &self.signer, now);
                wire.post(&format!("/?{query}"), &[("host", host)], "").await?
            }
            Signature::Acs3 => {
                let signed = sign::acs3_request(&host, action, params, &self.signer, now);
                wire.post(&format!("/?{}", signed.query), &signed.headers, "").await?
            }
        };
        Ok(if self.expected.is_in(body, param) { None } else { Some(why(status, body)) })
    }
}

impl Expected {
    fn is_in(self, body: &[u8], param: u64) -> bool {
        let has = |text: &str| std::str::from_utf8(body).is_ok_and(|body| body.contains(text));
        let own = match self {
            // JSON within JSON.
            Self::Result => holds(body, r#"\"param1\":"#, param),
            Self::MessageId => has(r#""MessageId":""#),
            Self::Success => true,
        };
        own && has(r#""Success":true"#)
    }
}

const ANOTHERS: &str = "the answer of another call";

/// Whether a body holds this number behind this name, and no longer one.
fn holds(body: &[u8], name: &str, number: u64) -> bool {
    let after = std::str::from_utf8(body).unwrap_or_default().split_once(name);
    let rest = after.and_then(|(_, after)| after.trim_start().strip_prefix(&number.to_string()));
    rest.is_some_and(|rest| rest.trim_start().starts_with([',', '}']))
}

/// Why it is not.
fn why(status: u16, body: &[u8]) -> String {
    match serde_json::from_slice::<Body>(body) {
        Ok(answer) if answer.success => ANOTHERS.to_owned(),
        Ok(answer) => answer.failure().0.to_owned(),
        Err(_) => format!("HTTP {status} with a body that is not of this API"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_another_call_does_not_count() {
        let body = |param: &str| format!(r#"{{"Success":true,"Data":{{"Result":"{{\"param1\":{param}}}"}}}}"#);
        assert!(Expected::Result.is_in(body("7").as_bytes(), 7));
        assert!(!Expected::Result.is_in(body("70").as_bytes(), 7));
        assert!(!Expected::Result.is_in(body("7").replace("true", "false").as_bytes(), 7));
        assert_eq!(why(200, body("70").as_bytes()), ANOTHERS);
        assert_eq!(why(200, br#"{"Success":false,"Code":"iot.x"}"#), "iot.x");
    }

    #[test]
    fn an_asynchronous_call_is_accepted_with_its_id() {
        assert!(Expected::MessageId.is_in(br#"{"Success":true,"Data":{"MessageId":"12"}}"#, 7));
        assert!(!Expected::MessageId.is_in(br#"{"Success":true}"#, 7));
    }

    #[test]
    fn an_answer_of_a_peer_holds_its_own_parameter_alone() {
        let own = |body: &str| holds(body.as_bytes(), r#""param1":"#, 12);
        assert!(own(r#"{"param1":12}"#));
        assert!(own(r#"{"device":"a", "param1": 12 , "b":1}"#));
        assert!(!own(r#"{"param1":123}"#));
        assert!(!own(r#"{"param1":"12"}"#));
        assert!(!own(""));
    }
}
