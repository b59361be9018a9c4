//! The load: signed HTTP calls on as many connections as calls may be in flight.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use thingcall_api::sign::{self, Signer};
use thingcall_core::UnixMillis;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::report::Report;
use super::target::{IDENTIFIER, Target};
use super::wire::Wire;
use super::{Pace, Plan};
use crate::client::Body;

/// How long after the last call answers may come: longer than any call may take.
const LAST_ANSWERS: Duration = Duration::from_secs(20);

/// Makes calls for the time of the plan.
///
/// # Errors
/// If the server cannot be reached at all.
pub(super) async fn measure(target: &Target, plan: Plan) -> anyhow::Result<Report> {
    let mut wires = Vec::new();
    for _ in 0..plan.in_flight {
        wires.push(Wire::connect(&target.url).await?);
    }
    let pace = Pace::new(plan);
    let devices: Arc<[String]> = target.devices.iter().map(|key| key.name.to_string()).collect();
    let mut running = JoinSet::new();
    for wire in wires {
        let (signer, product) = (target.signer.clone(), target.product.to_string());
        let calls = Calls { wire, signer, product, devices: devices.clone(), pace: pace.clone() };
        running.spawn(calls.run(Report::new(plan.measured)?));
    }
    let mut report = Report::new(plan.measured)?;
    let until = pace.end + LAST_ANSWERS;
    while let Some(part) = timeout_at(until, running.join_next()).await.context("a call had no answer within 20 s")? {
        report.add(&part?)?;
    }
    Ok(report)
}

/// The calls of one connection.
struct Calls {
    wire: Wire,
    signer: Signer,
    product: String,
    devices: Arc<[String]>,
    pace: Arc<Pace>,
}

impl Calls {
    async fn run(mut self, mut report: Report) -> Report {
        while let Some((number, due)) = self.pace.next().await {
            let called = self.call(number).await;
            let ended = Instant::now();
            let counts = self.pace.counts(due) && ended <= self.pace.end;
            match called {
                Ok(None) if counts => report.took(ended - due),
                Ok(Some(code)) if counts => report.failed(&code),
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

    /// The code of the failure, if it failed. Also checks that the answer is this call's.
    async fn call(&mut self, number: u64) -> anyhow::Result<Option<String>> {
        let index = usize::try_from(number).unwrap_or(0) % self.devices.len().max(1);
        let device = self.devices.get(index).context("no devices")?;
        let param = number % 1000;
        let args = format!(r#"{{"param1":{param}}}"#);
        let params = [
            ("ProductKey", self.product.as_str()),
            ("DeviceName", device),
            ("Identifier", IDENTIFIER),
            ("Args", &args),
        ];
        let signed =
            sign::acs3_request(self.wire.host(), "InvokeThingService", &params, &self.signer, UnixMillis::now());
        let (status, body) = self.wire.post(&signed.query, &signed.headers).await?;
        Ok(if is_answer(body, param) { None } else { Some(why(status, body)) })
    }
}

/// Whether a body is the answer of the call with this parameter. It stands in JSON within JSON.
fn is_answer(body: &[u8], param: u64) -> bool {
    let body = std::str::from_utf8(body).unwrap_or_default();
    let sent = format!(r#"\"param1\":{param}"#);
    let own = body.split_once(&sent).is_some_and(|(_, rest)| rest.starts_with([',', '}']));
    own && body.contains(r#""Success":true"#)
}

/// Why it is not.
fn why(status: u16, body: &[u8]) -> String {
    match serde_json::from_slice::<Body>(body) {
        Ok(answer) if answer.success => "the answer of another call".to_owned(),
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
        assert!(is_answer(body("7").as_bytes(), 7));
        assert!(!is_answer(body("70").as_bytes(), 7));
        assert!(!is_answer(body("7").replace("true", "false").as_bytes(), 7));
        assert_eq!(why(200, body("70").as_bytes()), "the answer of another call");
        assert_eq!(why(200, br#"{"Success":false,"Code":"iot.x"}"#), "iot.x");
    }
}
