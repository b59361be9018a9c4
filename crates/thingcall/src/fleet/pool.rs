//! Connections to the server: one for each call under way.
//!
//! **Invariant:** a connection is used again only if it was at rest for a moment: the server may close one at any time, and
//! of a call that leaves just then nobody knows whether it arrived.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use thingcall_api::sign::Signer;
use tokio::time::Instant;

use crate::client::{Client, FrontAnswer, Lost};
use crate::trust::Trust;

/// Servers keep connections for longer.
const AT_REST_MAX: Duration = Duration::from_secs(2);

pub(super) struct Pool {
    url: String,
    trust: Trust,
    signer: Signer,
    at_rest: Mutex<Vec<(Client, Instant)>>,
    connections_max: usize,
}

impl Pool {
    pub(super) fn new(url: String, trust: Trust, signer: Signer, connections_max: usize) -> Self {
        Self { url, trust, signer, at_rest: Mutex::default(), connections_max }
    }

    /// One signed request.
    ///
    /// # Errors
    /// If there is no answer, and whether it left.
    pub(super) async fn ask(&self, action: &str, params: &[(&str, &str)]) -> Result<FrontAnswer, Lost> {
        let mut client = match self.take() {
            Some(client) => client,
            None => Client::connect(&self.url, &self.trust, self.signer.clone()).await.map_err(Lost::NotSent)?,
        };
        let answered = client.ask_once(action, params).await?;
        let mut at_rest = self.at_rest.lock().unwrap_or_else(PoisonError::into_inner);
        if at_rest.len() < self.connections_max {
            at_rest.push((client, Instant::now()));
        }
        drop(at_rest);
        Ok(answered)
    }

    fn take(&self) -> Option<Client> {
        let mut at_rest = self.at_rest.lock().unwrap_or_else(PoisonError::into_inner);
        at_rest.retain(|(_, since)| since.elapsed() < AT_REST_MAX);
        at_rest.pop().map(|(client, _)| client)
    }
}
