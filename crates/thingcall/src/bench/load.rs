//! The load: signed HTTP calls on as many connections as calls may be in flight.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::report::Report;
use super::target::{IDENTIFIER, Target};
use super::{Pace, Plan};
use crate::client::Client;

/// Makes calls for the time of the plan.
///
/// # Errors
/// If the server cannot be reached at all.
pub(super) async fn measure(target: &Target, plan: Plan) -> anyhow::Result<Report> {
    let mut clients = Vec::new();
    for _ in 0..plan.in_flight {
        clients.push(Client::connect(&target.url, target.signer.clone()).await?);
    }
    let pace = Pace::new(plan);
    let devices: Arc<[String]> = target.devices.iter().map(|key| key.name.to_string()).collect();
    let mut running = JoinSet::new();
    for client in clients {
        let calls = Calls { client, product: target.product.to_string(), devices: devices.clone(), pace: pace.clone() };
        running.spawn(calls.run(Report::new(plan.measured)?));
    }
    let mut report = Report::new(plan.measured)?;
    while let Some(part) = running.join_next().await {
        report.add(&part?)?;
    }
    Ok(report)
}

/// The calls of one connection.
struct Calls {
    client: Client,
    product: String,
    devices: Arc<[String]>,
    pace: Arc<Pace>,
}

impl Calls {
    async fn run(mut self, mut report: Report) -> Report {
        while let Some((number, due)) = self.pace.next().await {
            let failure = self.call(number).await;
            let ended = Instant::now();
            if self.pace.counts(due) && ended <= self.pace.end {
                match failure {
                    None => report.took(ended - due),
                    Some(code) => report.failed(&code),
                }
            }
            if self.client.is_closed() {
                break;
            }
        }
        report
    }

    /// The code of the failure, if it failed. Also checks that the answer is this call's.
    async fn call(&mut self, number: u64) -> Option<String> {
        let index = usize::try_from(number).unwrap_or(0) % self.devices.len().max(1);
        let device = self.devices.get(index)?;
        let param = number % 1000;
        let args = format!(r#"{{"param1":{param}}}"#);
        let params = [
            ("ProductKey", self.product.as_str()),
            ("DeviceName", device),
            ("Identifier", IDENTIFIER),
            ("Args", &args),
        ];
        let body = match self.client.ask("InvokeThingService", &params).await.and_then(|answered| answered.body()) {
            Ok(body) => body,
            Err(error) => return Some(error.to_string()),
        };
        if !body.success {
            return Some(body.failure().0.to_owned());
        }
        let result = body.data.and_then(|data| data.result).unwrap_or_default();
        let sent = format!("\"param1\":{param}");
        let own = [',', '}'].iter().any(|end| result.contains(&format!("{sent}{end}")));
        (!own).then(|| "the answer of another call".to_owned())
    }
}
