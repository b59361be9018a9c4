//! The part of a load in which a plugin's own code runs: on a thread of its own, with a mark that says so.
//!
//! **Invariant:** a load waits for it for so long and no longer, and not at all for a server that ends. What comes too late
//! takes no calls, but is destroyed as it should be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thingcall_boundary::{CreateError, Generation, Mapped, Whose, opening};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::book::Image;
use crate::candidate::Candidate;
use crate::config::{Config, PluginConfig};
use crate::ended::{Endings, Learned};
use crate::error::LoadError;
use crate::files::Copies;
use crate::image::{self, ImageError};
use crate::metrics::Metrics;
use crate::note::Note;
use crate::routes::Wish;
use crate::tasks::Tasks;

/// From so many mapped files on, each more is worth a word: 10 to 100 KiB stay of each.
const IMAGES_WARN: u64 = 100;

/// How long a plugin's constructors and its `create` may take.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A generation that was created, and what is known of its file.
pub(crate) struct Created {
    pub(crate) generation: Arc<Generation>,
    pub(crate) image: Image,
    pub(crate) bytes: Vec<u8>,
}

/// Who starts plugins.
pub(crate) struct Starter {
    config: Config,
    copies: Arc<Copies>,
    metrics: Arc<Metrics>,
    /// What is counted of calls.
    calls: Arc<thingcall_boundary::Metrics>,
    endings: Arc<Endings>,
    /// How long a plugin's constructors and its `create` may take.
    timeout: Duration,
    /// Whether one of several plugins ended the server while they were loaded: then `alone` finds out which.
    one_by_one: AtomicBool,
    alone: tokio::sync::Mutex<()>,
    tasks: Tasks,
}

impl Starter {
    /// For a server whose last process left word of how plugins ended it.
    pub(crate) fn new(
        config: Config,
        copies: Copies,
        (endings, learned): (Arc<Endings>, Learned),
        (metrics, calls): (Arc<Metrics>, thingcall_boundary::Metrics),
        tasks: Tasks,
    ) -> Self {
        if let Err(error) = copies.clean() {
            warn!(%error, "copies of plugins that an earlier process left cannot be removed");
        }
        Self {
            config,
            copies: Arc::new(copies),
            metrics,
            calls: Arc::new(calls),
            endings,
            timeout: START_TIMEOUT,
            one_by_one: AtomicBool::new(learned == Learned::OneOfSeveral),
            alone: tokio::sync::Mutex::default(),
            tasks,
        }
    }

    /// With another time for constructors and `create`.
    pub(crate) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// From now on plugins are created beside each other.
    pub(crate) fn several_at_once(&self) {
        self.one_by_one.store(false, Ordering::Relaxed);
    }

    /// Maps the library and creates the plugin, on a thread of its own.
    pub(crate) async fn start(
        &self,
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
            calls: self.calls.clone(),
            endings: self.endings.clone(),
        };
        let _alone = match self.one_by_one.load(Ordering::Relaxed) {
            true => Some(self.alone.lock().await),
            false => None,
        };
        let mut thread = tokio::task::spawn_blocking(move || start.run(candidate));
        let result = tokio::select! {
            ended = tokio::time::timeout(self.timeout, &mut thread) => match ended {
                Ok(Ok(result)) => {
                    self.endings.returned(&wish.name);
                    result
                }
                Ok(Err(error)) => Err(LoadError::Internal(error.to_string())),
                Err(_) => Err(LoadError::Stuck),
            },
            () = self.tasks.stopped() => Err(LoadError::ShutDown),
        };
        // What comes later is not the load's, nor is what ends a server that is told to end.
        self.endings.entered(&wish.name);
        if matches!(result, Err(LoadError::Stuck | LoadError::ShutDown)) {
            self.retire_when_it_comes(thread);
        }
        result
    }

    /// A plugin that came too late takes no calls, but is destroyed as it should be.
    fn retire_when_it_comes(&self, thread: JoinHandle<Result<Created, LoadError>>) {
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            let result = tokio::select! {
                biased;
                result = thread => result,
                () = tasks.stopped() => return tasks.note_stuck(),
            };
            if let Ok(Ok(created)) = result
                && !created.generation.retire().await
            {
                tasks.note_stuck();
            }
        });
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
    /// What is counted of its calls.
    calls: Arc<thingcall_boundary::Metrics>,
    endings: Arc<Endings>,
}

impl Start {
    fn run(self, candidate: Candidate) -> Result<Created, LoadError> {
        // Before any of it runs: what may end the server is named by then.
        let (file, sha256) = (candidate.file.display(), &candidate.read.sha256);
        info!(plugin = self.wish.name, generation = self.number, %file, sha256, "plugin is opened");
        let path = self.copies.write(&self.wish.name, &candidate.read.bytes)?;
        let note = Note {
            plugin: self.wish.name.clone(),
            generation: self.number,
            file: file.to_string(),
            sha256: sha256.clone(),
            signal: None,
            call: None,
        };
        self.endings.entering(&note)?;
        let whose = Whose::new(note.words());
        let opened = {
            let _in_its_code = opening(whose);
            image::open(&path)
        };
        let table = match opened {
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
        let Candidate { read, inspected, .. } = candidate;
        let generation = self.create(Mapped { name: self.wish.name.clone(), number: self.number, table, whose })?;
        let image = Image { manifest: inspected.manifest, sha256: read.sha256 };
        Ok(Created { generation, image, bytes: read.bytes })
    }

    fn create(&self, mapped: Mapped) -> Result<Arc<Generation>, CreateError> {
        let configuration = serde_json::to_string(&self.settings.config);
        let configuration = configuration.map_err(|error| CreateError::Host(error.to_string()))?;
        self.metrics.ended_server(&self.wish.name, 0);
        Generation::create(mapped, self.settings.terms(&self.config), &configuration, &self.calls)
    }

    fn count_image(&self) {
        let images = self.metrics.image_mapped();
        if images >= IMAGES_WARN {
            warn!(images, "many plugin files are mapped, and none is ever unmapped: restart when there is time");
        }
    }
}

#[cfg(test)]
mod tests;
