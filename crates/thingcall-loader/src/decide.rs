//! What becomes of a file: all that is decided before any of its code runs.
//!
//! **Invariant:** it is decided about one file after the other, so that of two which want the same one gets it.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard, mpsc};
use tracing::info;

use crate::book::{Active, FILES_MAX, Known, Starting};
use crate::candidate::{Candidate, host_can_load};
use crate::config::{Config, PluginConfig};
use crate::ended::Endings;
use crate::error::LoadError;
use crate::keep::Keeper;
use crate::report::Loaded;
use crate::reserved::takes_nothing_kept;
use crate::roster::Roster;
use crate::routes::Wish;
use crate::tasks::Tasks;

/// Held by those for whom it is not decided yet what becomes of their file.
pub(crate) type Undecided = mpsc::Sender<Infallible>;

/// Whether a file that holds what runs already is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Same {
    /// It is not: nothing changed.
    Keep,
    /// It is: the operator asked.
    Reload,
}

/// How a file is loaded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct How {
    pub(crate) same: Same,
    /// Also if it ended the server again and again.
    pub(crate) force: bool,
    pub(crate) settings: Settings,
}

impl How {
    /// As it is done without an operator's word.
    pub(crate) const fn by_itself() -> Self {
        Self { same: Same::Keep, force: false, settings: Settings::AsBefore }
    }
}

/// Which section a plugin is loaded with.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Settings {
    /// The one that is known.
    #[default]
    AsBefore,
    /// This one, or none; it is known from then on, if the plugin can be loaded with it.
    Now(Option<Box<PluginConfig>>),
}

/// What is loaded as what.
pub(crate) struct Attempt<'a> {
    /// The file that is read.
    pub(crate) from: &'a Path,
    /// The operator's file, which it is or in whose place it is.
    pub(crate) file: &'a Path,
    pub(crate) how: How,
    /// See [`Record::rolled_back`].
    pub(crate) rolled_back: Option<String>,
    /// Dropped once it is decided whether its code runs.
    pub(crate) undecided: &'a mut Option<Undecided>,
}

/// A file whose code shall run, and what is known of it by then.
pub(crate) struct Decided {
    pub(crate) candidate: Candidate,
    pub(crate) wish: Wish,
    pub(crate) settings: PluginConfig,
    pub(crate) number: u64,
    pub(crate) rolled_back: Option<String>,
}

/// Who decides.
pub(crate) struct Decider {
    config: Config,
    roster: Arc<Roster>,
    keeper: Arc<Keeper>,
    endings: Arc<Endings>,
    tasks: Tasks,
    /// Held while it is decided what becomes of a file. Never while its code runs, or a call is answered.
    deciding: Mutex<()>,
}

impl Decider {
    pub(crate) fn new(config: Config, keeper: Arc<Keeper>, endings: Arc<Endings>, tasks: Tasks) -> Self {
        let (roster, deciding) = (keeper.roster().clone(), Mutex::default());
        Self { config, roster, keeper, endings, tasks, deciding }
    }

    /// Nothing is decided as long as this is held.
    pub(crate) async fn pause(&self) -> MutexGuard<'_, ()> {
        self.deciding.lock().await
    }

    /// Reads a file and takes a place for its plugin, if its code shall run; else says what runs already.
    ///
    /// # Errors
    /// Why it is refused; what is known of it by then is in `known`.
    pub(crate) async fn decide(
        &self,
        Attempt { from, file, how, rolled_back, .. }: &Attempt<'_>,
        known: &mut Option<Known>,
    ) -> Result<Result<Decided, Loaded>, LoadError> {
        let _deciding = self.deciding.lock().await;
        host_can_load(cfg!(target_feature = "crt-static"))?;
        if self.tasks.stopping() {
            return Err(LoadError::ShutDown);
        }
        if !self.roster.book().has_room_for(file) {
            return Err(LoadError::TooMany { file: (*file).to_owned(), max: FILES_MAX });
        }
        let mut rolled_back = rolled_back.clone();
        let mut candidate = self.read(from).await?;
        if let (true, Some(kept)) = (how.same == Same::Keep && from == file, self.rolled_back_to(&candidate)) {
            rolled_back = Some(candidate.read.sha256);
            candidate = self.read(&kept).await?;
            info!(plugin = candidate.manifest().name, file = %file.display(), "the operator went back from this file");
        }
        candidate.file = (*file).to_owned();
        *known = Some(candidate.known());
        let settings = match &how.settings {
            Settings::AsBefore => candidate.settings(&self.roster.configs()),
            Settings::Now(section) => section.as_deref().cloned().unwrap_or_default(),
        };
        let wish = candidate.wish(&settings)?;
        if !how.force && !self.config.force {
            self.endings.outlived(&candidate.manifest().name, &candidate.read.sha256)?;
        }
        let replaced = candidate.replaces(&wish, &self.roster.book())?;
        takes_nothing_kept(&wish, &self.roster.book(), &self.roster.configs(), |_| false)?;
        if how.same == Same::Keep
            && let Some(loaded) = self.already_there(&candidate, &replaced)
        {
            return Ok(Err(loaded));
        }
        let mut book = self.roster.book();
        let number = book.next_number(&wish.name);
        book.start(Starting { file: candidate.file.clone(), number, wish: wish.clone() });
        self.roster.publish(&book);
        Ok(Ok(Decided { candidate, wish, settings, number, rolled_back }))
    }

    async fn read(&self, file: &Path) -> Result<Candidate, LoadError> {
        let (path, config) = (file.to_owned(), self.config.clone());
        let candidate = tokio::task::spawn_blocking(move || Candidate::read(&path, &config)).await;
        candidate.map_err(|error| LoadError::Internal(error.to_string()))?
    }

    /// The kept file that is loaded in place of one that the operator went back from.
    fn rolled_back_to(&self, candidate: &Candidate) -> Option<PathBuf> {
        let name = &candidate.manifest().name;
        let rolled_back = self.roster.book().remembered().get(name)?.rolled_back.clone()?;
        (rolled_back == candidate.read.sha256).then(|| {
            let [last, _] = self.keeper.files_of(name);
            last
        })
    }

    /// What runs already, if the file holds just that. Its place is noted: it may have been renamed.
    fn already_there(&self, candidate: &Candidate, replaced: &[String]) -> Option<Loaded> {
        let mut book = self.roster.book();
        let [name] = replaced else { return None };
        if book.active().get(name)?.image.sha256 != candidate.read.sha256 {
            return None;
        }
        book.found_in(name, &candidate.file);
        book.active().get(name).map(|active| loaded(active, false))
    }
}

/// What an operator is told of it.
pub(crate) fn loaded(active: &Active, changed: bool) -> Loaded {
    let image = &active.image;
    Loaded {
        name: active.wish.name.clone(),
        version: image.manifest.version.clone(),
        generation: active.number,
        file: active.file.clone(),
        sha256: image.sha256.clone(),
        changed,
    }
}
