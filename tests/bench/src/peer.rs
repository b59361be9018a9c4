//! Another program that does the same work, as `--peer` names it: HTTP to a device and back.

use std::time::Duration;

use anyhow::Context;
use tokio::time::{sleep, timeout};

use crate::load::{self, Expected};
use crate::pace::Plan;
use crate::registered::names;
use crate::report::Report;
use crate::requests::{Form, Requests};
use crate::wire::{self, Wire};

/// How long a peer may take until it answers again: some of its connections may have timed out while it was stopped.
const AWAKE_TIMEOUT: Duration = Duration::from_secs(60);
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A running program that answers `POST /` with `{"device":...,"param1":...}` by what the device sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: String,
    url: String,
    /// Whose processor time counts as its own.
    pids: Vec<u32>,
}

impl std::str::FromStr for Peer {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no peer; right is NAME=http://HOST:PORT or NAME=http://HOST:PORT,PID");
        let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
        let mut rest = rest.split(',');
        let url = rest.next().filter(|url| url.starts_with("http://")).ok_or_else(wrong)?;
        let pids = rest.map(|pid| pid.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), url: url.to_owned(), pids })
    }
}

impl Peer {
    /// Measures it, once it answers.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub(crate) async fn turn(&self, devices: u32, plan: Plan) -> anyhow::Result<Report> {
        let address = wire::address_of(&self.url)?;
        let requests = Requests::repeated(&Form::Json, &address, &names(devices), plan)?;
        let awake = timeout(AWAKE_TIMEOUT, awake(&address, &requests)).await;
        awake.with_context(|| format!("{} has given no right answer for a minute", self.name))?;
        load::measure(&[address], (requests, Expected::Json), plan, &self.pids).await
    }
}

/// Asks until there is a right answer.
async fn awake(address: &str, requests: &Requests) {
    while !matches!(answers(address, requests).await, Ok(true)) {
        sleep(AGAIN_AFTER).await;
    }
}

async fn answers(address: &str, requests: &Requests) -> anyhow::Result<bool> {
    let (request, param) = requests.of(0)?;
    let mut wire = Wire::connect(address).await?;
    let (status, body) = wire.ask(request).await?;
    Ok(Expected::Json.failure(status, body, param).is_none())
}
