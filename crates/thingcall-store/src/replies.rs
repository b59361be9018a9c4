//! Which call a reply ends.
//!
//! **Invariant:** a reply ends the open call with its id of the device it comes from, or none.

use std::collections::HashMap;

use thingcall_core::{CallId, Completion, Reply, UnixMillis};

use crate::calls::{CallKey, Called, Candidate, End, Noted, Progress};
use crate::database::Tx;
use crate::failure::Failure;

/// What replies did: a verdict for each, in their order, and the calls they ended.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) completions: Vec<Completion>,
    pub(crate) ended: Vec<CallKey>,
}

/// The ends that replies make, if their calls are open: of each call, that of its first reply.
#[derive(Debug)]
pub(crate) struct Ends<'a>(HashMap<CallKey, Progress<'a>>);

impl<'a> Ends<'a> {
    pub(crate) fn of(replies: &[&'a Reply], now: UnixMillis) -> Self {
        let mut ends = HashMap::new();
        for reply in replies {
            if let Some(key) = key_of(reply) {
                ends.entry(key).or_insert_with(|| Progress { end: Some(end(reply, now)), ..Progress::default() });
            }
        }
        Self(ends)
    }

    /// Takes in what was noted before of a call that ends here, so that its record is written once.
    pub(crate) fn take(&mut self, key: &CallKey, noted: &Noted) -> bool {
        let Some(ends) = self.0.get_mut(key).filter(|_| noted.end.is_none()) else { return false };
        let mut progress: Progress<'a> = noted.clone();
        progress.join(std::mem::take(ends));
        *ends = progress;
        true
    }

    /// Ends the calls these replies answer, as part of a transaction.
    pub(crate) async fn write(self, tx: &mut dyn Tx, replies: &[&Reply]) -> Result<Verdicts, Failure> {
        let ends: Vec<(&CallKey, &Progress<'_>)> = self.0.iter().collect();
        let mut open = tx.end(&ends).await?;
        let ended = open.keys().cloned().collect();
        // The first reply to each of them is taken, and the others are for calls that ended before, or for none.
        let others = replies.iter().map(|reply| (*reply, key_of(reply).and_then(|key| open.remove(&key))));
        let others: Vec<_> = others.collect();
        let ids: Vec<_> =
            others.iter().filter(|(_, call)| call.is_none()).filter_map(|(reply, _)| reply.id()).collect();
        let before = tx.candidates(&ids).await?;
        let mut completions = Vec::with_capacity(others.len());
        for (reply, call) in others {
            completions.push(match call {
                Some(call) => matched(reply, call),
                None => judge(tx, reply, &before).await?,
            });
        }
        Ok(Verdicts { completions, ended })
    }
}

/// The open call that a reply may end.
pub(crate) fn key_of(reply: &Reply) -> Option<CallKey> {
    Some((reply.device.clone(), reply.id()?))
}

fn matched(reply: &Reply, Called { service, transport }: Called) -> Completion {
    Completion::Matched { outcome: reply.outcome(), service, transport: transport.unwrap_or(reply.transport) }
}

/// What a reply is that ends no call.
async fn judge(
    tx: &mut dyn Tx,
    reply: &Reply,
    before: &HashMap<CallId, Vec<Candidate>>,
) -> Result<Completion, Failure> {
    let Some(found) = reply.id().and_then(|id| before.get(&id)) else { return Ok(Completion::Unknown) };
    let Some(candidate) = found.iter().find(|candidate| candidate.device == reply.device) else {
        return Ok(Completion::WrongDevice);
    };
    if let Ok(body) = &reply.body
        && !candidate.answered()
    {
        tx.attach(candidate.seq, body).await?;
    }
    Ok(if candidate.answered() { Completion::Duplicate } else { Completion::Late })
}

fn end(reply: &Reply, at: UnixMillis) -> End<'_> {
    match &reply.body {
        Ok(body) => End::answered(body, at),
        Err(malformed) => {
            End { outcome: reply.outcome(), at, code: None, message: Some(malformed.to_string().into()), data: None }
        }
    }
}
