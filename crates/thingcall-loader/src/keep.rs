//! Writing down what is known of a plugin that was just loaded, for the day when its file is refused or gone.
//!
//! **Invariant:** what cannot be written is known in memory, told by a condition, and tried again until it is written, the
//! plugin is loaded anew, or it is forgotten.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tracing::{error, info};

use crate::error::LoadError;
use crate::kept::Record;
use crate::plugins::Inner;

/// How long until what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// What is to be written of a plugin.
#[derive(Debug, Clone)]
pub(crate) struct ToKeep {
    record: Record,
    /// Its file, if it is another than what was kept before.
    bytes: Option<Arc<[u8]>>,
}

impl Inner {
    /// Keeps what is known of a plugin that was just loaded.
    pub(crate) async fn remember(self: &Arc<Self>, name: &str, record: Record, bytes: Vec<u8>) {
        let mut unkept = self.unkept.lock().await;
        let before = self.book().remembered.insert(name.to_owned(), record.clone());
        let waiting = unkept.remove(name);
        if waiting.is_none() && before.as_ref() == Some(&record) {
            return;
        }
        let other = before.is_none_or(|before| before.sha256 != record.sha256);
        let other = other || waiting.is_some_and(|waiting| waiting.bytes.is_some());
        let to_keep = ToKeep { record, bytes: other.then(|| bytes.into()) };
        match self.keep(name, &to_keep).await {
            Ok(()) => self.told(|told| told.kept(name)),
            Err(error) => {
                error!(plugin = name, %error, "the plugin is loaded, but a restart would not know its claims yet");
                self.told(|told| told.unkept(name, &error.to_string()));
                let first = unkept.is_empty();
                unkept.insert(name.to_owned(), to_keep);
                if first {
                    self.tasks.spawn(self.clone().keep_later());
                }
            }
        }
    }

    /// What waits to be written need not be.
    pub(crate) async fn keep_no_longer(&self, name: &str) {
        let mut unkept = self.unkept.lock().await;
        if unkept.contains_key(name) && !self.book().active.contains_key(name) {
            unkept.remove(name);
            self.told(|told| told.kept(name));
        }
    }

    /// Ends when nothing is left to be written.
    async fn keep_later(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
            let mut unkept = self.unkept.lock().await;
            for (name, to_keep) in unkept.clone() {
                match self.keep(&name, &to_keep).await {
                    Ok(()) => {
                        info!(plugin = name, "the plugin's claims are written down now");
                        unkept.remove(&name);
                        self.told(|told| told.kept(&name));
                    }
                    Err(error) => self.told(|told| told.unkept(&name, &error.to_string())),
                }
            }
            if unkept.is_empty() {
                return;
            }
        }
    }

    async fn keep(&self, name: &str, to_keep: &ToKeep) -> Result<(), LoadError> {
        let (kept, name, ToKeep { record, bytes }) = (self.kept.clone(), name.to_owned(), to_keep.clone());
        let written = tokio::task::spawn_blocking(move || kept.remember(&name, &record, bytes.as_deref())).await;
        Ok(written.map_err(|error| LoadError::Internal(error.to_string()))??)
    }

    fn told(&self, tell: impl FnOnce(&mut crate::reserved::Told)) {
        tell(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests;
