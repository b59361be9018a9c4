//! Which call a reply ends.
//!
//! **Invariant:** a reply ends the open call with its id of the device it comes from, or none.

use std::collections::HashMap;

use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use thingcall_core::{
    CallId, Completion, DeviceKey, Outcome, RecordState, Reply, ReplyBody, ServiceId, TransportKind, UnixMillis,
};

use crate::calls::{self, End, Progress};
use crate::waiting::CallKey;
use crate::{records, rows};

/// Ids of one statement.
const IDS_MAX: usize = 500;

/// What replies did: a verdict for each, in their order, and the calls they ended.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) completions: Vec<Completion>,
    pub(crate) ended: Vec<CallKey>,
}

/// A call that a reply may be for.
#[derive(Debug)]
struct Candidate {
    seq: i64,
    device: DeviceKey,
    service: ServiceId,
    transport: Option<TransportKind>,
    state: RecordState,
    outcome: Option<Outcome>,
}

/// Ends the calls these replies answer, as part of a transaction.
pub(crate) async fn complete(
    conn: &mut SqliteConnection,
    replies: impl Iterator<Item = &Reply> + Clone,
    now: UnixMillis,
) -> Result<Verdicts, sqlx::Error> {
    let ids: Vec<CallId> = replies.clone().filter_map(Reply::id).collect();
    let mut candidates = candidates(conn, &ids).await?;
    let mut verdicts = Verdicts::default();
    let mut ends: Vec<(CallKey, Progress)> = Vec::new();
    for reply in replies {
        let found = reply.id().and_then(|id| candidates.get_mut(&id).map(|found| (id, found)));
        let Some((id, found)) = found else {
            verdicts.completions.push(Completion::Unknown);
            continue;
        };
        let completion = match found.iter_mut().find(|candidate| candidate.device == reply.device) {
            None => Completion::WrongDevice,
            Some(candidate) if candidate.state == RecordState::Ended => {
                attach(conn, candidate, reply).await?;
                if candidate.answered() { Completion::Duplicate } else { Completion::Late }
            }
            Some(candidate) => {
                let end = end(reply, now);
                let completion = candidate.end(reply, end.outcome);
                let progress = Progress { transport: candidate.transport, end: Some(end), ..Progress::default() };
                ends.push(((reply.device.clone(), id), progress));
                completion
            }
        };
        verdicts.completions.push(completion);
    }
    calls::advance(conn, ends.iter().map(|(key, progress)| (key, progress))).await?;
    verdicts.ended = ends.into_iter().map(|(key, _)| key).collect();
    Ok(verdicts)
}

impl Candidate {
    /// Whether a reply ended it.
    fn answered(&self) -> bool {
        self.outcome
            .is_some_and(|outcome| [Outcome::Ok, Outcome::DeviceError, Outcome::InvalidReply].contains(&outcome))
    }

    /// Ends it, for the replies that follow.
    fn end(&mut self, reply: &Reply, outcome: Outcome) -> Completion {
        self.state = RecordState::Ended;
        self.outcome = Some(outcome);
        let transport = *self.transport.get_or_insert(reply.transport);
        Completion::Matched { outcome, service: self.service.clone(), transport }
    }
}

fn end(reply: &Reply, at: UnixMillis) -> End {
    match &reply.body {
        Ok(body) => End {
            outcome: if body.code == ReplyBody::SUCCESS { Outcome::Ok } else { Outcome::DeviceError },
            at,
            code: Some(body.code),
            message: body.message.clone(),
            data: Some(body.data.clone()),
        },
        Err(malformed) => {
            End { outcome: Outcome::InvalidReply, at, code: None, message: Some(malformed.to_string()), data: None }
        }
    }
}

/// Keeps the first readable reply that came too late beside how the call ended.
async fn attach(conn: &mut SqliteConnection, candidate: &Candidate, reply: &Reply) -> Result<(), sqlx::Error> {
    let Ok(body) = &reply.body else { return Ok(()) };
    if !candidate.answered() {
        sqlx::query("UPDATE calls SET code = ?, data = ? WHERE seq = ? AND code IS NULL")
            .bind(body.code)
            .bind(&body.data)
            .bind(candidate.seq)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// The calls with these ids, newest first.
async fn candidates(
    conn: &mut SqliteConnection,
    ids: &[CallId],
) -> Result<HashMap<CallId, Vec<Candidate>>, sqlx::Error> {
    let mut found: HashMap<CallId, Vec<Candidate>> = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(IDS_MAX) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "SELECT seq, call_id, product, device, module, service, transport, state, outcome FROM calls \
             WHERE call_id IN ",
        );
        sql.push_tuples(ids, |mut row, id| {
            row.push_bind(i64::from(id.as_u32()));
        });
        sql.push(" ORDER BY seq DESC");
        for row in sql.build().persistent(false).fetch_all(&mut *conn).await? {
            let candidate = Candidate {
                seq: row.try_get("seq")?,
                device: rows::device_key(row.try_get("product")?, row.try_get("device")?)?,
                service: records::service(&row)?,
                transport: records::transport(&row)?,
                state: calls::state_of(row.try_get("state")?),
                outcome: records::outcome(&row)?,
            };
            found.entry(calls::call_id(row.try_get("call_id")?)).or_default().push(candidate);
        }
    }
    Ok(found)
}
