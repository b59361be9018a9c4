//! Writing down what is known of a plugin that was just loaded, for the day when its file is refused or gone.
//!
//! **Invariant:** what cannot be written is known in memory, told by a condition, and tried again until it is written, the
//! plugin is loaded anew, or it is forgotten.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info};

use crate::ended::Endings;
use crate::error::LoadError;
use crate::kept::{Kept, Record};
use crate::roster::Roster;
use crate::tasks::Tasks;

/// How long until what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// What is to be written of a plugin.
#[derive(Debug, Clone)]
pub(crate) struct ToKeep {
    record: Record,
    /// Its file, if it is another than what was kept before.
    bytes: Option<Arc<[u8]>>,
}

/// What is known of plugins beside the store.
pub(crate) struct Keeper {
    kept: Arc<Kept>,
    endings: Arc<Endings>,
    /// What could not be written down yet, by plugin. Held while something is written.
    unkept: tokio::sync::Mutex<BTreeMap<String, ToKeep>>,
    roster: Arc<Roster>,
    tasks: Tasks,
}

impl Keeper {
    pub(crate) fn new(kept: Kept, endings: Arc<Endings>, roster: Arc<Roster>, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self { kept: Arc::new(kept), endings, unkept: tokio::sync::Mutex::default(), roster, tasks })
    }

    /// The plugins whose claims it keeps.
    pub(crate) const fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// The files of this plugin that were loaded last and before that, where they are.
    pub(crate) fn files_of(&self, name: &str) -> [PathBuf; 2] {
        [self.kept.last(name), self.kept.before(name)]
    }

    /// Keeps what is known of a plugin that was just loaded.
    pub(crate) async fn remember(self: &Arc<Self>, name: &str, record: Record, bytes: Vec<u8>) {
        let mut unkept = self.unkept.lock().await;
        let before = self.roster.book().remember(name, record.clone());
        let waiting = unkept.remove(name);
        if waiting.is_none() && before.as_ref() == Some(&record) {
            return;
        }
        let other = before.is_none_or(|before| before.sha256 != record.sha256);
        let other = other || waiting.is_some_and(|waiting| waiting.bytes.is_some());
        let to_keep = ToKeep { record, bytes: other.then(|| bytes.into()) };
        match self.keep(name, &to_keep).await {
            Ok(()) => self.roster.tell(|told| told.kept(name)),
            Err(error) => {
                error!(plugin = name, %error, "the plugin is loaded, but a restart would not know its claims yet");
                self.roster.tell(|told| told.unkept(name, &error.to_string()));
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
        if unkept.contains_key(name) && !self.roster.book().active().contains_key(name) {
            unkept.remove(name);
            self.roster.tell(|told| told.kept(name));
        }
    }

    /// Ends when nothing is left to be written.
    async fn keep_later(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.tasks.stopped() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
            let mut unkept = self.unkept.lock().await;
            for (name, to_keep) in unkept.clone() {
                match self.keep(&name, &to_keep).await {
                    Ok(()) => {
                        info!(plugin = name, "the plugin's claims are written down now");
                        unkept.remove(&name);
                        self.roster.tell(|told| told.kept(&name));
                    }
                    Err(error) => self.roster.tell(|told| told.unkept(&name, &error.to_string())),
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

    /// Forgets a plugin that is not loaded.
    ///
    /// # Errors
    /// If it is, its section claims for it, or nobody has that name.
    pub(crate) fn forget(&self, name: &str) -> Result<(), LoadError> {
        let mut book = self.roster.book();
        if book.active().contains_key(name) || book.starting().contains_key(name) {
            return Err(LoadError::StillLoaded(name.to_owned()));
        }
        if self.roster.configs().get(name).is_some_and(|section| section.claims.is_some() || section.codecs.is_some()) {
            return Err(LoadError::Configured(name.to_owned()));
        }
        if !book.remembered().contains_key(name) {
            return Err(LoadError::UnknownPlugin(name.to_owned()));
        }
        self.kept.forget(name)?;
        self.endings.forget(name);
        book.forget(name);
        self.roster.publish(&book);
        info!(plugin = name, "plugin forgotten: its calls go to the device, or to a plugin with a wider claim");
        Ok(())
    }

    /// Whether anything waits to be written.
    #[cfg(test)]
    async fn waits(&self) -> bool {
        !self.unkept.lock().await.is_empty()
    }
}

#[cfg(test)]
mod tests;
