//! One load: read the file, run the plugin beside the old one, put it into the table in one step, retire the old one.
//!
//! **Invariants:** until the step that puts it into the table nothing changes; a load that fails leaves all as it was.
//! Where nothing was, the file that was loaded last is loaded in its place, if there is one; else its claims are reserved.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thingcall_boundary::{Fallback, Generation};
use tracing::{error, info, warn};

use crate::book::{Active, FileNote, Known, Starting};
use crate::candidate::Candidate;
use crate::config::{PluginConfig, PluginConfigs};
use crate::error::{LoadError, LoadResult};
use crate::files::{self, Stamp};
use crate::kept::Record;
use crate::lease::{CodecLease, HandlerLease, Idle, in_use};
use crate::metrics;
use crate::plugins::Inner;
use crate::report::Loaded;
use crate::reserved::takes_nothing_kept;
use crate::routes::{Circuit, Member, Wish};
use crate::scan::{FILES_MAX, Undecided};
use crate::start::Created;

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
struct Attempt<'a> {
    /// The file that is read.
    from: &'a Path,
    /// The operator's file, which it is or in whose place it is.
    file: &'a Path,
    how: How,
    /// See [`Record::rolled_back`].
    rolled_back: Option<String>,
    /// Dropped once it is decided whether its code runs.
    undecided: &'a mut Option<Undecided>,
}

/// A file whose code shall run, and what is known of it by then.
struct Decided {
    candidate: Candidate,
    wish: Wish,
    settings: PluginConfig,
    number: u64,
    rolled_back: Option<String>,
}

impl Circuit for Generation {
    fn open(&self) -> bool {
        self.circuit_open()
    }
}

impl Inner {
    /// Loads a file and notes what became of it.
    pub(crate) async fn load(
        self: &Arc<Self>,
        file: &Path,
        how: How,
        mut undecided: Option<Undecided>,
    ) -> Result<Loaded, LoadError> {
        let _turn = self.turn(file).await;
        // Before it is read: what changes meanwhile is seen as a change.
        let stamp = Stamp::of(file).ok().flatten();
        if stamp.is_some() && self.book().has_room_for(file) {
            self.book().files.entry(file.to_owned()).or_default().stamp = stamp;
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
            let mut book = self.book();
            let refusal = result.as_ref().err().map(|error| book.refusal(error, known));
            book.files.insert(file.to_owned(), FileNote { stamp, refusal });
        }
        self.publish(&self.book());
        result
    }

    /// Loads the file that was loaded last, or else the one before it, where the present one is refused and nothing runs.
    /// What is switched off, or in somebody's way, stays so.
    async fn fall_back(
        self: &Arc<Self>,
        file: &Path,
        error: &LoadError,
        known: Option<&Known>,
        undecided: &mut Option<Undecided>,
    ) {
        if matches!(error.result(), None | Some(LoadResult::DuplicateModule)) {
            return;
        }
        let (name, rolled_back) = {
            let book = self.book();
            let name = book.owner_of(file, known).filter(|name| !book.active.contains_key(name));
            let Some((name, record)) = name.and_then(|name| Some((name.clone(), book.remembered.get(&name)?))) else {
                return;
            };
            (name, record.rolled_back.clone())
        };
        // The very same was refused just now; or the operator went back from it.
        let refused: Vec<_> = known.map(|known| known.sha256.clone()).into_iter().chain(rolled_back.clone()).collect();
        for kept in [self.kept.last(&name), self.kept.before(&name)] {
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
    pub(crate) async fn load_before(self: &Arc<Self>, name: &str) -> Result<Loaded, LoadError> {
        let file = self.book().file_of(name).ok_or_else(|| LoadError::UnknownPlugin(name.to_owned()))?;
        let _turn = self.turn(&file).await;
        let before = self.kept.before(name);
        if !before.exists() {
            return Err(LoadError::NothingBefore(name.to_owned()));
        }
        let rolled_back = files::sha256(&file);
        let attempt = Attempt { from: &before, file: &file, how: How::by_itself(), rolled_back, undecided: &mut None };
        let result = self.attempt(attempt, &mut None).await;
        self.report(&before, &result);
        self.publish(&self.book());
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
    async fn attempt(self: &Arc<Self>, attempt: Attempt<'_>, known: &mut Option<Known>) -> Result<Loaded, LoadError> {
        let (file, section) = (attempt.file, attempt.how.settings.clone());
        let decided = {
            // One after the other, so that of two which want the same one gets it.
            let _deciding = self.deciding.lock().await;
            match self.decide(&attempt, known).await? {
                Err(there) => return Ok(there),
                Ok(decided) => decided,
            }
        };
        drop(attempt.undecided.take());
        let Decided { candidate, wish, settings, number, rolled_back } = decided;
        let fallback = settings.fallback;
        let created = self.run(candidate, &wish, settings, number).await;
        let Created { generation, image, bytes } = created.inspect_err(|_| {
            let mut book = self.book();
            book.starting.remove(&wish.name);
            self.publish(&book);
        })?;
        let (member, idle) = member(&generation, &wish, fallback);
        let mut record = Record::new(file, &image.manifest.version, &image.sha256, &wish);
        record.rolled_back = rolled_back;
        self.remember(&wish.name, record, bytes).await;
        self.install(Active { file: file.to_owned(), number, generation, image, wish, member, idle }, section)
    }

    /// Reads a file and takes a place for its plugin, if its code shall run; else says what runs already.
    async fn decide(
        &self,
        Attempt { from, file, how, rolled_back, .. }: &Attempt<'_>,
        known: &mut Option<Known>,
    ) -> Result<Result<Decided, Loaded>, LoadError> {
        host_can_load(cfg!(target_feature = "crt-static"))?;
        if self.stop.is_cancelled() {
            return Err(LoadError::ShutDown);
        }
        if !self.book().has_room_for(file) {
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
            Settings::AsBefore => candidate.settings(&self.configs.load()),
            Settings::Now(section) => section.as_deref().cloned().unwrap_or_default(),
        };
        let wish = candidate.wish(&settings)?;
        if !how.force && !self.config.force {
            self.endings.outlived(&candidate.manifest().name, &candidate.read.sha256)?;
        }
        let replaced = candidate.replaces(&wish, &self.book())?;
        takes_nothing_kept(&wish, &self.book(), &self.configs.load(), |_| false)?;
        if how.same == Same::Keep
            && let Some(loaded) = self.already_there(&candidate, &replaced)
        {
            return Ok(Err(loaded));
        }
        let mut book = self.book();
        let number = book.next_number(&wish.name);
        // Where it was renamed, what runs goes with it.
        if let Some(active) = book.active.get_mut(&wish.name) {
            active.file.clone_from(&candidate.file);
        }
        let starting = Starting { file: candidate.file.clone(), number, wish: wish.clone() };
        book.starting.insert(wish.name.clone(), starting);
        self.publish(&book);
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
        let rolled_back = self.book().remembered.get(name)?.rolled_back.clone()?;
        (rolled_back == candidate.read.sha256).then(|| self.kept.last(name))
    }

    /// What runs already, if the file holds just that. Its place is noted: it may have been renamed.
    fn already_there(&self, candidate: &Candidate, replaced: &[String]) -> Option<Loaded> {
        let mut book = self.book();
        let [name] = replaced else { return None };
        let active = book.active.get_mut(name)?;
        if active.image.sha256 != candidate.read.sha256 {
            return None;
        }
        let before = std::mem::replace(&mut active.file, candidate.file.clone());
        let loaded = loaded(active, false);
        if before != candidate.file {
            book.files.remove(&before);
        }
        Some(loaded)
    }

    /// Puts a plugin into the table in place of those of its name and its file, which are retired.
    fn install(self: &Arc<Self>, new: Active, section: Settings) -> Result<Loaded, LoadError> {
        let loaded = loaded(&new, true);
        let mut book = self.book();
        book.starting.remove(&loaded.name);
        // Looked at under the book's lock: a shutdown that comes later finds it there.
        if self.stop.is_cancelled() {
            drop(book);
            self.retire(new);
            return Err(LoadError::ShutDown);
        }
        if let Settings::Now(section) = section {
            self.set_section(&loaded.name, section);
        }
        let mut replaced = book.names_in(&new.file);
        replaced.push(loaded.name.clone());
        let old: Vec<_> = replaced.iter().filter_map(|name| book.active.remove(name)).collect();
        for old in &old {
            self.count_active(old, metrics::Active::No);
            if old.file != new.file {
                book.files.remove(&old.file);
            }
        }
        self.count_active(&new, metrics::Active::Yes);
        book.active.insert(loaded.name.clone(), new);
        self.publish(&book);
        drop(book);
        for old in old {
            self.retire(old);
        }
        Ok(loaded)
    }

    /// From now on this is the plugin's section.
    fn set_section(&self, name: &str, section: Option<Box<PluginConfig>>) {
        let mut configs = PluginConfigs::clone(&self.configs.load());
        match section {
            Some(section) => drop(configs.insert(name.to_owned(), *section)),
            None => drop(configs.remove(name)),
        }
        self.configs.store(Arc::new(configs));
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

fn loaded(active: &Active, changed: bool) -> Loaded {
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

/// A static program has no system's loader in it, or one that fits by luck.
pub(crate) fn host_can_load(statically_linked: bool) -> Result<(), LoadError> {
    if statically_linked { Err(LoadError::StaticHost) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
