//! Messages for whoever looks at them in the console, as `thingcall tail` reads them.
//!
//! **Invariant:** it takes nothing from anybody. What it wants is written for it as long as it is looked at, and ten minutes more where
//! the server is killed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thingcall_console::{MessageTail, Tailed, Tailing};
use thingcall_core::{JournalError, MessageKinds, MessageLog, ProductKey, UnixMillis, Wanted};
use thingcall_store::Store;
use thingcall_subscription::LiveReader;
use tokio::time::sleep;
use tracing::warn;

use super::Asks;

/// How many messages are read at once.
const PAGE: usize = 100;
/// How soon messages are seen.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[async_trait]
impl Tailing for Asks {
    async fn tail(&self, product: Option<ProductKey>) -> Result<Box<dyn MessageTail>, String> {
        let wanted = Wanted { of: vec![(product, MessageKinds::all())] };
        match Tail::begin(self.store.clone(), wanted).await {
            Ok(tail) => Ok(Box::new(tail)),
            Err(error) => Err(error.to_string()),
        }
    }
}

struct Tail {
    store: Arc<Store>,
    wanted: Wanted,
    after: i64,
    /// Gone when it has ended.
    live: Option<LiveReader>,
}

impl Tail {
    async fn begin(store: Arc<Store>, wanted: Wanted) -> Result<Self, JournalError> {
        let live = LiveReader::begin(store.clone(), wanted.clone(), UnixMillis::now()).await?;
        let after = *store.places().await?.end();
        Ok(Self { store, wanted, after, live: Some(live) })
    }

    async fn look(&mut self) -> Result<Tailed, JournalError> {
        let newest = *self.store.places().await?.end();
        let messages = self.store.look(self.after, &self.wanted, PAGE).await?;
        // Behind the look: what was dropped just before it is told, too.
        let kept_from = *self.store.places().await?.start();
        let gap = messages.first().map_or(kept_from, |first| first.place.min(kept_from)) > self.after + 1;
        self.after = messages.iter().map(|message| message.place).fold(self.after, i64::max);
        if messages.len() < PAGE {
            self.after = self.after.max(newest);
        }
        if let Some(live) = &mut self.live {
            live.renew(UnixMillis::now()).await?;
        }
        Ok(Tailed { messages, gap })
    }
}

#[async_trait]
impl MessageTail for Tail {
    async fn next(&mut self) -> Result<Tailed, String> {
        loop {
            let tailed = self.look().await.map_err(|error| error.to_string())?;
            if tailed.gap || !tailed.messages.is_empty() {
                return Ok(tailed);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let Some(live) = self.live.take() else { return };
        tokio::spawn(async move {
            if let Err(error) = live.end().await {
                warn!(%error, "what a live page wanted of messages is written for ten minutes more");
            }
        });
    }
}
