//! One load: read the file, run the plugin beside the old one, put it into the table in one step, retire the old one.
//!
//! **Invariants:** until the step that puts it into the table nothing changes; a load that fails leaves all as it was.
//! Where nothing was, the file that was loaded last is loaded in its place, if there is one; else its claims are reserved.

use std::path::Path;
use std::sync::Arc;

use thingcall_boundary::{Fallback, Generation};
use tracing::{error, info, warn};

use crate::book::{Active, FileNote, Known};
use crate::decide::{Attempt, Decided, Decider, How, Settings, Undecided, loaded};
use crate::error::LoadError;
use crate::files::{self, Stamp};
use crate::keep::Keeper;
use crate::kept::Record;
use crate::lease::{CodecLease, HandlerLease, Idle, in_use};
use crate::metrics::{self, LoadResult, Metrics};
use crate::report::Loaded;
use crate::roster::Roster;
use crate::routes::{Circuit, Member, Wish};
use crate::start::{Created, Starter};
use crate::tasks::Tasks;
use crate::turns::Turns;

impl Circuit for Generation {
    fn open(&self) -> bool {
        self.circuit_open()
    }
}

/// Who loads files.
pub(crate) struct Loader {
    roster: Arc<Roster>,
    keeper: Arc<Keeper>,
    decider: Decider,
    starter: Starter,
    metrics: Arc<Metrics>,
    turns: Turns,
    tasks: Tasks,
}

impl Loader {
    pub(crate) fn new(
        keeper: Arc<Keeper>,
        decider: Decider,
        starter: Starter,
        metrics: Arc<Metrics>,
        tasks: Tasks,
    ) -> Arc<Self> {
        let (roster, turns) = (keeper.roster().clone(), Turns::default());
        Arc::new(Self { roster, keeper, decider, starter, metrics, turns, tasks })
    }

    /// From now on plugins are created beside each other.
    pub(crate) fn several_at_once(&self) {
        self.starter.several_at_once();
    }

    /// Whether something is done with this file.
    pub(crate) fn is_busy(&self, file: &Path) -> bool {
        self.turns.is_taken(file)
    }

    /// Loads a file and notes what became of it.
    pub(crate) async fn load(
        &self,
        file: &Path,
        how: How,
        mut undecided: Option<Undecided>,
    ) -> Result<Loaded, LoadError> {
        let _turn = self.turns.of(file).await;
        // Before it is read: what changes meanwhile is seen as a change.
        let stamp = Stamp::of(file).ok().flatten();
        if let Some(stamp) = stamp {
            self.roster.book().see(file, stamp);
        }
        let mut known = None;
        let attempt = Attempt { from: file, file, how, rolled_back: None, undecided: &mut undecided };
        let result = self.attempt(attempt, &mut known).await;
        self.report(file, &result);
        if let Err(error) = &result {
            self.fall_back(file, error, known.as_ref(), &mut undecided).await;
        }
        // Nothing is noted of a file that is not there: there is nothing to look at again.
        if stamp.is_some() && !matches!(result, Err(LoadError::ShutDown | LoadError::TooMany { .. })) {
            let mut book = self.roster.book();
            let refusal = result.as_ref().err().map(|error| book.refusal(error, known));
            book.note(file, FileNote { stamp, refusal });
        }
        self.roster.publish(&self.roster.book());
        result
    }

    /// Loads the file that was loaded last, or else the one before it, where the present one is refused and nothing runs.
    /// What is switched off, or in somebody's way, stays so.
    async fn fall_back(
        &self,
        file: &Path,
        error: &LoadError,
        known: Option<&Known>,
        undecided: &mut Option<Undecided>,
    ) {
        if matches!(error.result(), None | Some(LoadResult::DuplicateModule)) {
            return;
        }
        let (name, rolled_back) = {
            let book = self.roster.book();
            let name = book.owner_of(file, known).filter(|name| !book.active().contains_key(name));
            let Some((name, record)) = name.and_then(|name| Some((name.clone(), book.remembered().get(&name)?))) else {
                return;
            };
            (name, record.rolled_back.clone())
        };
        // The very same was refused just now; or the operator went back from it.
        let refused: Vec<_> = known.map(|known| known.sha256.clone()).into_iter().chain(rolled_back.clone()).collect();
        for kept in self.keeper.files_of(&name) {
            if files::sha256(&kept).is_none_or(|sha256| refused.contains(&sha256)) {
                continue;
            }
            let rolled_back = rolled_back.clone();
            let attempt = Attempt { from: &kept, file, how: How::by_itself(), rolled_back, undecided };
            match self.attempt(attempt, &mut None).await {
                Ok(Loaded { version, generation, sha256, .. }) => {
                    warn!(
                        plugin = name, version, generation, sha256, file = %file.display(), refused = %error,
                        "the file is refused; the one that was loaded last runs in its place"
                    );
                    return;
                }
                Err(why) => error!(plugin = name, file = %kept.display(), error = %why, "nor can a kept one be loaded"),
            }
        }
    }

    /// Loads what ran before the last.
    pub(crate) async fn load_before(&self, name: &str) -> Result<Loaded, LoadError> {
        let file = self.roster.book().file_of(name).ok_or_else(|| LoadError::UnknownPlugin(name.to_owned()))?;
        let _turn = self.turns.of(&file).await;
        let [_, before] = self.keeper.files_of(name);
        if !before.exists() {
            return Err(LoadError::NothingBefore(name.to_owned()));
        }
        let rolled_back = files::sha256(&file);
        let attempt = Attempt { from: &before, file: &file, how: How::by_itself(), rolled_back, undecided: &mut None };
        let result = self.attempt(attempt, &mut None).await;
        self.report(&before, &result);
        self.roster.publish(&self.roster.book());
        result
    }

    fn report(&self, file: &Path, result: &Result<Loaded, LoadError>) {
        let loaded = |loaded: &Loaded| loaded.changed.then_some(LoadResult::Ok);
        if let Some(counted) = result.as_ref().map_or_else(LoadError::result, loaded) {
            self.metrics.load_counted(counted);
        }
        let file = file.display();
        match result {
            Ok(Loaded { name, version, generation, sha256, changed: true, .. }) => {
                info!(plugin = name, version, generation, sha256, %file, "plugin loaded");
            }
            Ok(_) => {}
            Err(error @ (LoadError::Disabled(_) | LoadError::ShutDown)) => info!(%file, %error, "plugin not loaded"),
            Err(error) => error!(%file, %error, "plugin refused"),
        }
    }

    /// Loads what `from` holds as the operator's `file`. The caller has the file's turn.
    async fn attempt(&self, attempt: Attempt<'_>, known: &mut Option<Known>) -> Result<Loaded, LoadError> {
        let (file, section) = (attempt.file, attempt.how.settings.clone());
        let decided = match self.decider.decide(&attempt, known).await? {
            Err(there) => return Ok(there),
            Ok(decided) => decided,
        };
        drop(attempt.undecided.take());
        let Decided { candidate, wish, settings, number, rolled_back } = decided;
        let fallback = settings.fallback;
        let created = self.starter.start(candidate, &wish, settings, number).await;
        let Created { generation, image, bytes } = created.inspect_err(|_| {
            let mut book = self.roster.book();
            book.started(&wish.name);
            self.roster.publish(&book);
        })?;
        let (member, idle) = member(&generation, &wish, fallback);
        let mut record = Record::new(file, &image.manifest.version, &image.sha256, &wish);
        record.rolled_back = rolled_back;
        self.keeper.remember(&wish.name, record, bytes).await;
        self.install(Active { file: file.to_owned(), number, generation, image, wish, member, idle }, section)
    }

    /// Puts a plugin into the table in place of those of its name and its file, which are retired.
    fn install(&self, new: Active, section: Settings) -> Result<Loaded, LoadError> {
        let loaded = loaded(&new, true);
        let mut book = self.roster.book();
        book.started(&loaded.name);
        // Looked at under the book's lock: a shutdown that comes later finds it there.
        if self.tasks.stopping() {
            drop(book);
            self.tasks.retire(new);
            return Err(LoadError::ShutDown);
        }
        if let Settings::Now(section) = section {
            self.roster.set_section(&loaded.name, section);
        }
        let old = book.install(new);
        old.iter().for_each(|old| self.roster.count_active(old, metrics::Active::No));
        if let Some(new) = book.active().get(&loaded.name) {
            self.roster.count_active(new, metrics::Active::Yes);
        }
        self.roster.publish(&book);
        drop(book);
        for old in old {
            self.tasks.retire(old);
        }
        Ok(loaded)
    }

    /// Forgets a file that is gone, and retires its plugin.
    pub(crate) async fn unload(&self, file: &Path) {
        let _turn = self.turns.of(file).await;
        let _paused = self.decider.pause().await;
        let mut book = self.roster.book();
        let old = book.lose(file);
        self.roster.publish(&book);
        drop(book);
        for old in old {
            self.roster.count_active(&old, metrics::Active::No);
            info!(
                plugin = old.wish.name,
                file = %file.display(),
                "plugin removed; its claims stay reserved until it is back, or `thingcall plugin forget` frees them"
            );
            self.tasks.retire(old);
        }
    }
}

/// A generation's row of the table, and what tells when nobody can start a call on it any more.
fn member(generation: &Arc<Generation>, wish: &Wish, fallback: Fallback) -> (Member, Idle) {
    let (in_use, idle) = in_use();
    let bypass: Option<Arc<dyn Circuit>> = match fallback {
        Fallback::BuiltIn => Some(generation.clone()),
        Fallback::Fail => None,
    };
    let member = Member {
        name: wish.name.clone(),
        claims: wish.claims.clone(),
        codecs: wish.codecs.clone(),
        order: wish.order,
        handler: generation.handler().map(|handler| HandlerLease::of(handler, &in_use)),
        codec: generation.codec().map(|codec| CodecLease::of(codec, &in_use)),
        bypass,
    };
    (member, idle)
}

#[cfg(test)]
mod tests;
