//! What passes into the log, which can be something else for a while.
//!
//! **Invariant:** what was configured is never lost: it counts again when its time is over, when somebody says so, and after a start.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use thingcall_core::UnixMillis;
use tokio::time::sleep;
use tracing::{error, warn};
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::{LEVELS, of_configuration};

/// As the subscriber, there is one of it in the program.
static LEVELS_NOW: OnceLock<Arc<Levels>> = OnceLock::new();
/// The longest text of a filter.
const LEVEL_BYTES_MAX: usize = 1024;
/// The longest time for which a level may be another.
const LASTS_MAX: Duration = Duration::from_secs(30 * 86_400);

/// What passes.
#[derive(Debug)]
pub(crate) struct Levels {
    handle: reload::Handle<EnvFilter, Registry>,
    configured: Mutex<String>,
    now: Mutex<Now>,
}

#[derive(Debug, Clone)]
struct Now {
    level: String,
    until: Option<UnixMillis>,
    /// How often it was changed: one that goes back by itself does so only if nobody changed it since.
    changes: u64,
}

/// What passes now, what is configured, and until when it is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) now: String,
    pub(crate) configured: String,
    pub(crate) until: Option<UnixMillis>,
}

/// That of the program, once logging was started.
pub(crate) fn levels() -> Option<&'static Arc<Levels>> {
    LEVELS_NOW.get()
}

impl Levels {
    /// The program's is this one, with what is configured.
    pub(super) fn install(handle: reload::Handle<EnvFilter, Registry>, configured: String) {
        let now = Mutex::new(Now { level: configured.clone(), until: None, changes: 0 });
        let _first = LEVELS_NOW.set(Arc::new(Self { handle, configured: Mutex::new(configured), now }));
    }

    /// What passes.
    pub(crate) fn shown(&self) -> Shown {
        let Now { level, until, .. } = self.now().clone();
        Shown { now: level, configured: self.configured(), until }
    }

    /// This passes from now on: for so long, or until the program ends.
    ///
    /// # Errors
    /// If it is no level, or lasts too long.
    pub(crate) fn set(self: &Arc<Self>, level: &str, lasts: Option<Duration>) -> Result<(), String> {
        if level.len() > LEVEL_BYTES_MAX {
            return Err(format!("the level has {} bytes; at most {LEVEL_BYTES_MAX} are allowed", level.len()));
        }
        if let Some(lasts) = lasts.filter(|lasts| lasts.is_zero() || *lasts > LASTS_MAX) {
            return Err(format!("{lasts:?} is too short or too long; right is up to 30 days"));
        }
        let filter = of_configuration(level).map_err(|why| format!("{level:?} ({why}); right is {LEVELS}"))?;
        let until = lasts.map(|lasts| {
            UnixMillis(UnixMillis::now().0.saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX)))
        });
        let changes = self.pass(filter, level, until)?;
        warn!(level, ?lasts, "the log level was changed");
        if let Some(lasts) = lasts {
            let levels = self.clone();
            // Ends with the runtime; there is one for each change, and a change needs a person.
            drop(tokio::spawn(async move {
                sleep(lasts).await;
                if levels.now().changes == changes
                    && let Err(why) = levels.back()
                {
                    error!(why, "the log level stays as it was changed");
                }
            }));
        }
        Ok(())
    }

    /// What is configured passes again.
    ///
    /// # Errors
    /// If logging has ended.
    pub(crate) fn back(&self) -> Result<(), String> {
        // What is configured may be a variable's text, which libraries are not quieted in.
        let configured = self.configured();
        let filter = super::filter(&configured).map_err(|why| why.to_string())?;
        self.pass(filter, &configured, None)?;
        warn!(level = configured, "the log level is as configured again");
        Ok(())
    }

    /// Another level is configured, and passes from now on; `RUST_LOG` wins.
    ///
    /// # Errors
    /// If logging has ended.
    pub(crate) fn configure(&self, level: &str) -> Result<(), String> {
        *self.configured.lock().unwrap_or_else(PoisonError::into_inner) = super::configured(level);
        self.back()
    }

    fn configured(&self) -> String {
        self.configured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pass(&self, filter: EnvFilter, level: &str, until: Option<UnixMillis>) -> Result<u64, String> {
        let mut now = self.now();
        self.handle.reload(filter).map_err(|why| why.to_string())?;
        *now = Now { level: level.to_owned(), until, changes: now.changes + 1 };
        Ok(now.changes)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    //! Changes and the way back.

    use tokio::time::{advance, sleep};

    use super::*;

    fn levels() -> (reload::Layer<EnvFilter, Registry>, Arc<Levels>) {
        let (layer, handle) = reload::Layer::new(of_configuration("info").unwrap());
        let now = Mutex::new(Now { level: "info".to_owned(), until: None, changes: 0 });
        (layer, Arc::new(Levels { handle, configured: Mutex::new("info".to_owned()), now }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_goes_back_when_its_time_is_over_unless_it_was_changed_since() {
        let (_layer, levels) = levels();
        let minute = Some(Duration::from_secs(60));
        levels.set("debug", minute).unwrap();
        assert_eq!(levels.shown().now, "debug");
        assert!(levels.shown().until.is_some());
        sleep(Duration::from_secs(61)).await;
        assert_eq!((levels.shown().now.as_str(), levels.shown().until), ("info", None));
        levels.set("debug", minute).unwrap();
        levels.set("warn", None).unwrap();
        advance(Duration::from_secs(61)).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(levels.shown().now, "warn");
        levels.back().unwrap();
        assert_eq!(levels.shown().now, "info");
        levels.set("trace", minute).unwrap();
        levels.configure("warn").unwrap();
        assert_eq!((levels.shown().now.as_str(), levels.shown().until), ("warn", None));
    }

    #[tokio::test]
    async fn what_is_no_level_changes_nothing_and_says_what_would_be_right() {
        let (_layer, levels) = levels();
        for wrong in ["warning", "", "info,[", &"x".repeat(2000)] {
            let why = levels.set(wrong, None).unwrap_err();
            assert!(why.contains("right is") || why.contains("at most"), "{why}");
        }
        assert!(levels.set("debug", Some(Duration::ZERO)).is_err());
        assert_eq!(levels.shown().now, "info");
    }
}
