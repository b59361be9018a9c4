//! Calls that are made once: the store as it keeps their tokens.
//!
//! **Invariant:** a claim is this process's as long as that runs, or its lease lasts; whoever finds another's asks the database
//! whether that one lives.

use async_trait::async_trait;
use thingcall_core::{Claimed, OnceClaim, OnceEnd, OnceError, OnceKept, OnceKey, OnceState, OnceTokens, UnixMillis};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use crate::Store;
use crate::once_table::{EndRow, OnceRow};
use crate::once_writer::{QUEUE, Work, kept_until};
use crate::shared::Shared;

impl Store {
    /// What a row says, with what the journal has of a call whose maker is gone.
    async fn kept(&self, row: OnceRow) -> Result<OnceKept, OnceError> {
        let OnceRow { digest, request_id, holder, holder_lives, answer, .. } = row;
        let is_ours = holder == self.shared().once.holder;
        let state = match answer {
            Some(answer) => OnceState::Ended(answer),
            None if is_ours || holder_lives => OnceState::OnItsWay,
            None => {
                let records = self.find_request(&request_id).await;
                let records = records.map_err(|problem| unread(&problem))?;
                let accepted = if let [record] = &*records { Some(record.id) } else { None };
                warn!(request = %request_id, "a call that is made once was lost with the server that made it");
                OnceState::Lost { accepted }
            }
        };
        Ok(OnceKept { digest, request_id, state })
    }

    async fn work<T>(&self, work: impl FnOnce(oneshot::Sender<Result<T, OnceError>>) -> Work) -> Result<T, OnceError> {
        let (done, written) = oneshot::channel();
        match self.once().try_send(work(done)) {
            Ok(()) => written.await.unwrap_or(Err(OnceError::Closed)),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(OnceError::Full(format!("{QUEUE} idempotency tokens wait to be written")))
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(OnceError::Closed),
        }
    }
}

fn unread(problem: &dyn std::fmt::Display) -> OnceError {
    debug!(%problem, "what is kept of a call that is made once cannot be read");
    OnceError::Unread("the store cannot be read".to_owned())
}

#[async_trait]
impl OnceTokens for Store {
    async fn claim(&self, claim: &OnceClaim) -> Result<Claimed, OnceError> {
        let Shared { config, once, .. } = self.shared();
        if let Some(full) = once.full(config, &claim.key.account) {
            // Who has a token already is answered all the same.
            return self.look(&claim.key).await?.map(Claimed::Theirs).ok_or(OnceError::Full(full));
        }
        match self.work(|done| Work::Claim(claim.clone(), done)).await? {
            None => Ok(Claimed::Ours),
            Some(row) => self.kept(row).await.map(Claimed::Theirs),
        }
    }

    async fn look(&self, key: &OnceKey) -> Result<Option<OnceKept>, OnceError> {
        let row = self.shared().reads.once(key).await.map_err(|problem| unread(&problem))?;
        match row.filter(|row| row.ends_at > UnixMillis::now()) {
            Some(row) => self.kept(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn end(&self, key: &OnceKey, request_id: &str, end: OnceEnd) -> Result<bool, OnceError> {
        let ends_at = kept_until(&self.shared().config, UnixMillis::now());
        let row = EndRow { key: key.clone(), request_id: request_id.to_owned(), end, ends_at };
        self.work(|done| Work::End(row, done)).await
    }
}
