//! Which call a reply ends.
//!
//! **Invariant:** a reply ends the open call with its id of the device it comes from, or none.

use std::collections::HashMap;

use thingcall_core::{CallId, Completion, EndedCall, Reply, UnixMillis};

use crate::calls::{CallKey, Called, Candidate, End, Noted, Progress};
use crate::database::Tx;
use crate::failure::Failure;

/// What replies did: a verdict for each, in their order, and the calls they ended.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) completions: Vec<Completion>,
    pub(crate) ended: Vec<CallKey>,
    /// Of those that somebody wants to be told of: how they ended.
    pub(crate) told: Vec<EndedCall>,
}

/// The ends that replies make, if their calls are open: of each call, that of its first reply.
#[derive(Debug)]
pub(crate) struct Ends<'a>(HashMap<CallKey, Progress<'a>>);

impl<'a> Ends<'a> {
    /// A call that an earlier try may have ended ends when it did then.
    pub(crate) fn of(replies: &[&'a Reply], doubted: &HashMap<CallKey, UnixMillis>, now: UnixMillis) -> Self {
        let mut ends = HashMap::new();
        for reply in replies {
            if let Some(key) = key_of(reply) {
                let at = doubted.get(&key).copied().unwrap_or(now);
                ends.entry(key).or_insert_with(|| Progress { end: Some(end(reply, at)), ..Progress::default() });
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
    pub(crate) async fn write(
        self,
        tx: &mut dyn Tx,
        replies: &[&Reply],
        doubted: &HashMap<CallKey, UnixMillis>,
        is_told: impl Fn(&CallKey) -> bool,
    ) -> Result<Verdicts, Failure> {
        let ends: Vec<(&CallKey, &Progress<'_>)> = self.0.iter().collect();
        let mut open = tx.end(&ends).await?;
        let mut ended: Vec<_> = open.keys().cloned().collect();
        let mut doubted = doubted.clone();
        let told = open.iter().filter(|(key, _)| is_told(key));
        let told = told.filter_map(|(key, called)| Some(called.ended(key, self.0.get(key)?.end.as_ref()?))).collect();
        // The first reply to each of them is taken, and the others are for calls that ended before, or for none.
        let others = replies.iter().map(|reply| (*reply, key_of(reply).and_then(|key| open.remove(&key))));
        let others: Vec<_> = others.collect();
        let ids: Vec<_> =
            others.iter().filter(|(_, call)| call.is_none()).filter_map(|(reply, _)| reply.id()).collect();
        let before = tx.candidates(&ids).await?;
        let mut completions = Vec::with_capacity(others.len());
        for (reply, call) in others {
            let key = key_of(reply).filter(|_| !doubted.is_empty());
            let doubt = key.and_then(|key| doubted.remove_entry(&key));
            completions.push(match (call, doubt.and_then(|doubt| ended_by(reply, doubt, &before))) {
                (Some(call), _) => matched(reply, &call),
                (None, Some((key, call))) => {
                    ended.push(key);
                    matched(reply, call)
                }
                (None, None) => judge(tx, reply, &before).await?,
            });
        }
        Ok(Verdicts { completions, ended, told })
    }
}

/// The open call that a reply may end.
pub(crate) fn key_of(reply: &Reply) -> Option<CallKey> {
    Some((reply.device.clone(), reply.id()?))
}

/// The call that an earlier try at writing this reply ended, if it did, though nobody could say so then.
fn ended_by<'b>(
    reply: &Reply,
    (key, at): (CallKey, UnixMillis),
    before: &'b HashMap<CallId, Vec<Candidate>>,
) -> Option<(CallKey, &'b Called)> {
    let candidate = before.get(&key.1)?.iter().find(|candidate| candidate.device == key.0)?;
    let code = reply.body.as_ref().ok().map(|body| body.code);
    let ours = (candidate.outcome, candidate.ended_at, candidate.code) == (Some(reply.outcome()), Some(at), code);
    ours.then_some((key, &candidate.called))
}

fn matched(reply: &Reply, Called { service, transport, trace, .. }: &Called) -> Completion {
    let transport = transport.unwrap_or(reply.transport);
    Completion::Matched { outcome: reply.outcome(), service: service.clone(), transport, trace: trace.clone() }
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
