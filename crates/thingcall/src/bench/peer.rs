//! Another program that does the same work, as `--peer` names it: HTTP to a device and back.

use super::load::{Calls, Form};
use super::pace::Plan;
use super::report::Report;
use super::target::names;
use super::{Args, load};

/// A running program that answers `POST /` with `{"device":...,"param1":...}` by what the device sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) name: String,
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
    /// Measures it.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub(super) async fn turn(&self, args: &Args, plan: Plan) -> anyhow::Result<Report> {
        let calls = Calls { url: self.url.clone(), devices: names(args.devices), form: Form::Json };
        load::measure(&calls, plan, &self.pids).await
    }
}
