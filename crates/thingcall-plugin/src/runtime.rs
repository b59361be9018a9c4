//! The plugin's own tokio runtime, where it wants one.
//!
//! The server's runtime is invisible here: a library has its own copy of every static. One worker drives timers and
//! sockets; the handler itself is polled by the host, within this runtime's context.

#[cfg(feature = "tokio")]
use std::time::Duration;

/// How long tasks of the plugin's own may take to end with it.
#[cfg(feature = "tokio")]
const STOP_TIME: Duration = Duration::from_secs(3);

/// A runtime, or none.
pub(crate) struct Runtime {
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::runtime::Runtime>,
}

impl Runtime {
    /// None.
    pub(crate) const fn none() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            tokio: None,
        }
    }

    /// Starts one if it is wanted.
    #[cfg(feature = "tokio")]
    pub(crate) fn start(wanted: bool) -> Result<Self, String> {
        if !wanted {
            return Ok(Self::none());
        }
        let built = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok(Self { tokio: Some(built.map_err(|error| format!("tokio: {error}"))?) })
    }

    /// Refuses: this build has none.
    #[cfg(not(feature = "tokio"))]
    pub(crate) fn start(wanted: bool) -> Result<Self, String> {
        if wanted {
            return Err("`tokio: true` needs the feature `tokio` of thingcall-plugin".to_owned());
        }
        Ok(Self::none())
    }

    /// Runs within its context.
    pub(crate) fn enter<T>(&self, run: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tokio")]
        let _entered = self.tokio.as_ref().map(tokio::runtime::Runtime::enter);
        run()
    }

    /// Ends it and its tasks.
    pub(crate) fn stop(self) {
        #[cfg(feature = "tokio")]
        if let Some(tokio) = self.tokio {
            tokio.shutdown_timeout(STOP_TIME);
        }
    }
}
