//! One load: read the file, run the plugin beside the old one, put it into the table in one step, retire the old one.
//!
//! **Invariants:** until the step that puts it into the table nothing changes; a load that fails leaves all as it was.
//! Where nothing was, the file that was loaded last is loaded in its place, if there is one; else its claims are reserved.

use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::book::{Active, FileNote, Known};
use crate::candidate::Candidate;
use crate::config::{Config, Fallback, PluginConfig};
use crate::error::{LoadError, LoadResult};
use crate::files::{Copies, Stamp};
use crate::generation::{Generation, Image};
use crate::image::{self, ImageError};
use crate::kept::Record;
use crate::lease::{CodecLease, HandlerLease, Idle, in_use};
use crate::metrics::{self, Metrics};
use crate::plugins::Inner;
use crate::report::Loaded;
use crate::routes::{Circuit, Member, Wish};
use crate::scan::FILES_MAX;

/// From so many mapped files on, each more is worth a word: 10 to 100 KiB stay of each.
const IMAGES_WARN: u64 = 100;

/// Whether a file that holds what runs already is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Same {
    /// It is not: nothing changed.
    Keep,
    /// It is: the operator asked.
    Reload,
}

/// A generation that was created, and the bytes of its file.
type Created = (Arc<Generation>, Vec<u8>);

impl Circuit for Generation {
    fn open(&self) -> bool {
        self.circuit_open()
    }
}

impl Inner {
    /// Loads a file and notes what became of it. The caller holds the lock on loads.
    pub(crate) async fn load(self: &Arc<Self>, file: &Path, same: Same) -> Result<Loaded, LoadError> {
        // Before it is read: what changes meanwhile is seen as a change.
        let stamp = Stamp::of(file).ok().flatten();
        let mut known = None;
        let result = self.attempt(file, file, same, &mut known).await;
        self.report(file, &result);
        if let Err(error) = &result {
            self.fall_back(file, error, known.as_ref()).await;
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

    /// Loads the file that was loaded last, where the present one is refused and nothing runs. What is switched off, or
    /// in somebody's way, stays so.
    async fn fall_back(self: &Arc<Self>, file: &Path, error: &LoadError, known: Option<&Known>) {
        if matches!(error.result(), None | Some(LoadResult::DuplicateModule)) {
            return;
        }
        let name = {
            let book = self.book();
            let name = book.owner_of(file, known).filter(|name| !book.active.contains_key(name));
            let Some((name, record)) = name.and_then(|name| Some((name.clone(), book.remembered.get(&name)?))) else {
                return;
            };
            // The very same was refused just now.
            if known.is_some_and(|known| known.sha256 == record.sha256) {
                return;
            }
            name
        };
        let kept = self.kept.last(&name);
        match self.attempt(&kept, file, Same::Keep, &mut None).await {
            Ok(Loaded { version, generation, sha256, .. }) => {
                warn!(
                    plugin = name, version, generation, sha256, file = %file.display(), refused = %error,
                    "the file is refused; the one that was loaded last runs in its place"
                );
            }
            Err(why) => error!(plugin = name, file = %kept.display(), error = %why, "nor can the last one be loaded"),
        }
    }

    /// Loads what ran before the last. The caller holds the lock on loads.
    pub(crate) async fn load_before(self: &Arc<Self>, name: &str) -> Result<Loaded, LoadError> {
        let file = self.book().file_of(name).ok_or_else(|| LoadError::UnknownPlugin(name.to_owned()))?;
        let before = self.kept.before(name);
        if !before.exists() {
            return Err(LoadError::NothingBefore(name.to_owned()));
        }
        let result = self.attempt(&before, &file, Same::Keep, &mut None).await;
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
            Err(error @ LoadError::Disabled(_)) => info!(%file, %error, "plugin not loaded"),
            Err(error) => error!(%file, %error, "plugin refused"),
        }
    }

    /// Loads what `from` holds as the operator's `file`.
    async fn attempt(
        self: &Arc<Self>,
        from: &Path,
        file: &Path,
        same: Same,
        known: &mut Option<Known>,
    ) -> Result<Loaded, LoadError> {
        host_can_load(cfg!(target_feature = "crt-static"))?;
        if self.stop.is_cancelled() {
            return Err(LoadError::ShutDown);
        }
        if !self.book().has_room_for(file) {
            return Err(LoadError::TooMany { file: file.to_owned(), max: FILES_MAX });
        }
        let (path, config) = (from.to_owned(), self.config.clone());
        let candidate = tokio::task::spawn_blocking(move || Candidate::read(&path, &config)).await;
        let mut candidate = candidate.map_err(|error| LoadError::Internal(error.to_string()))??;
        candidate.file = file.to_owned();
        *known = Some(candidate.known());
        let settings = candidate.settings(&self.configs);
        let wish = candidate.wish(&settings)?;
        let replaced = candidate.replaces(&wish, &self.book())?;
        if same == Same::Keep
            && let Some(loaded) = self.already_there(&candidate, &replaced)
        {
            return Ok(loaded);
        }
        let number = self.book().next_number(&wish.name);
        let fallback = settings.fallback;
        let (generation, bytes) = self.run(candidate, &wish, settings, number).await?;
        let (member, idle) = member(&generation, &wish, fallback);
        self.remember(file, &generation, &wish, bytes).await;
        Ok(self.install(Active { file: file.to_owned(), number, generation, wish, member, idle }, &replaced))
    }

    /// Keeps what is known of a plugin that was just loaded, for the day when its file is refused.
    async fn remember(&self, file: &Path, generation: &Generation, wish: &Wish, bytes: Vec<u8>) {
        let image = generation.image();
        let record = Record::new(file, &image.manifest.version, &image.sha256, wish);
        let name = wish.name.clone();
        let before = self.book().remembered.get(&name).cloned();
        if before.as_ref() == Some(&record) {
            return;
        }
        let other = before.is_none_or(|before| before.sha256 != record.sha256);
        let kept = self.kept.clone();
        let (noted, writing) = (record.clone(), name.clone());
        let written = move || kept.remember(&writing, &record, other.then_some(bytes.as_slice()));
        match tokio::task::spawn_blocking(written).await {
            // Only what was written: what was not is tried again when the plugin is loaded the next time.
            Ok(Ok(())) => drop(self.book().remembered.insert(name, noted)),
            Ok(Err(error)) => {
                error!(plugin = wish.name, %error, "the plugin is loaded, but will not be remembered after a restart");
            }
            Err(error) => error!(plugin = wish.name, %error, "the plugin cannot be remembered"),
        }
    }

    /// What runs already, if the file holds just that. Its place is noted: it may have been renamed.
    fn already_there(&self, candidate: &Candidate, replaced: &[String]) -> Option<Loaded> {
        let mut book = self.book();
        let [name] = replaced else { return None };
        let active = book.active.get_mut(name)?;
        let image = active.generation.image();
        if image.sha256 != candidate.read.sha256 {
            return None;
        }
        let before = std::mem::replace(&mut active.file, candidate.file.clone());
        let loaded = loaded(active, false);
        if before != candidate.file {
            book.files.remove(&before);
        }
        Some(loaded)
    }

    /// Maps the library and creates the plugin, on a thread of its own.
    async fn run(
        self: &Arc<Self>,
        candidate: Candidate,
        wish: &Wish,
        settings: PluginConfig,
        number: u64,
    ) -> Result<Created, LoadError> {
        let start = Start {
            wish: wish.clone(),
            settings,
            number,
            config: self.config.clone(),
            copies: self.copies.clone(),
            metrics: self.metrics.clone(),
        };
        let mut thread = tokio::task::spawn_blocking(move || start.run(candidate));
        match tokio::time::timeout(self.start_timeout, &mut thread).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(LoadError::Internal(error.to_string())),
            Err(_) => {
                self.retire_when_it_comes(thread);
                Err(LoadError::Stuck)
            }
        }
    }

    /// A plugin that came too late takes no calls, but is destroyed as it should be.
    fn retire_when_it_comes(self: &Arc<Self>, thread: JoinHandle<Result<Created, LoadError>>) {
        let inner = self.clone();
        self.tasks.spawn(async move {
            let result = tokio::select! {
                result = thread => result,
                () = inner.stop.cancelled() => return inner.note_stuck(),
            };
            if let Ok(Ok((generation, _))) = result
                && !generation.retire().await
            {
                inner.note_stuck();
            }
        });
    }

    /// Puts a plugin into the table in place of others, which are retired.
    fn install(self: &Arc<Self>, new: Active, replaced: &[String]) -> Loaded {
        let loaded = loaded(&new, true);
        let mut book = self.book();
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
        loaded
    }
}

/// What a thread needs to start a plugin.
struct Start {
    wish: Wish,
    settings: PluginConfig,
    number: u64,
    config: Config,
    copies: Arc<Copies>,
    metrics: Arc<Metrics>,
}

impl Start {
    fn run(self, candidate: Candidate) -> Result<Created, LoadError> {
        // Before any of it runs: what may end the server is named by then.
        let (file, sha256) = (candidate.file.display(), &candidate.read.sha256);
        info!(plugin = self.wish.name, generation = self.number, %file, sha256, "plugin is opened");
        let path = self.copies.write(&self.wish.name, &candidate.read.bytes)?;
        let table = match image::open(&path) {
            Err(error @ ImageError::Open { .. }) => {
                // Not mapped, so nothing needs it.
                drop(std::fs::remove_file(&path));
                return Err(error.into());
            }
            other => {
                self.count_image();
                other?
            }
        };
        let functions = [
            (!self.wish.claims.is_empty() && table.begin.is_none(), "claims", "begin"),
            (!self.wish.codecs.is_empty() && table.encode.is_none(), "codecs", "encode"),
            (!self.wish.codecs.is_empty() && table.decode.is_none(), "codecs", "decode"),
        ];
        if let Some((_, what, function)) = functions.into_iter().find(|(missing, ..)| *missing) {
            return Err(ImageError::NoFunction { what, function }.into());
        }
        let image = Image { manifest: candidate.inspected.manifest, sha256: candidate.read.sha256, table };
        let generation = Generation::create(image, self.number, &self.config, &self.settings, &self.metrics)?;
        Ok((generation, candidate.read.bytes))
    }

    fn count_image(&self) {
        self.metrics.image_mapped();
        let images = self.metrics.images_resident();
        if images >= IMAGES_WARN {
            warn!(images, "many plugin files are mapped, and none is ever unmapped: restart when there is time");
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

fn loaded(active: &Active, changed: bool) -> Loaded {
    let image = active.generation.image();
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
fn host_can_load(statically_linked: bool) -> Result<(), LoadError> {
    if statically_linked { Err(LoadError::StaticHost) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
