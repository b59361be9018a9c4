//! Why a file is not loaded. Each text says what was found, what was expected and, where it is not plain, what to do.

use std::path::PathBuf;

use thingcall_boundary::CreateError;

use crate::claim::ClaimError;
use crate::conflict::Conflict;
use crate::files::FileError;
use crate::image::ImageError;
use crate::inspect::InspectError;
use crate::manifest::ManifestError;
use crate::metrics::LoadResult;

/// Why a plugin was not loaded. What was active before still is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file may not be loaded, or cannot be read or copied.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no plugin for this host.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The configuration asks for what the plugin cannot be.
    #[error("[plugins.{name}]: {why}")]
    Config {
        /// The plugin.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A claim that is none.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// It handles and translates nothing.
    #[error("{0} claims no calls and translates for no product; nothing would reach it")]
    Idle(String),
    /// A panic would end the server.
    #[error(
        "built with panic=abort, a panic would end the server; rebuild with panic=unwind or set allow_panic_abort in \
         [plugins.{0}]"
    )]
    PanicAbort(String),
    /// Its libraries' thread-locals do not fit often.
    #[error(
        "needs static TLS (initial-exec thread-locals, e.g. an allocator): it could be loaded only a few times; build \
         it with -ftls-model=global-dynamic, or the allocator with its local-dynamic option"
    )]
    StaticTls,
    /// Built for another processor.
    #[error("built for {found}; this host runs on {host}")]
    Machine {
        /// The file's.
        found: String,
        /// Ours.
        host: &'static str,
    },
    /// It gets into another plugin's way.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The library cannot be opened, or its table cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Its `create` said no.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// Its constructors or its `create` do not come back.
    #[error("its constructors or its create do not return")]
    Stuck,
    /// The server did not outlive it.
    #[error(
        "it ended the server {times} times in a row while it was loaded{}; mend it, or try once more with `thingcall \
         plugin reload {name} --force`",
        by.as_ref().map(|by| format!(", the last time by {by}")).unwrap_or_default()
    )]
    EndsServer {
        /// The plugin.
        name: String,
        /// How often.
        times: u32,
        /// How the last time.
        by: Option<String>,
    },
    /// Its section says so.
    #[error("[plugins.{0}] says enabled = false")]
    Disabled(String),
    /// Nobody has this name.
    #[error("no plugin is called {0}; `thingcall plugin list` shows all")]
    UnknownPlugin(String),
    /// There is no earlier file of it.
    #[error("no file of plugin {0} that ran before is kept; a rollback needs two that were loaded")]
    NothingBefore(String),
    /// It is in use, so there is nothing to forget.
    #[error("plugin {0} is loaded; remove its file, or say enabled = false in [plugins.{0}], then forget it")]
    StillLoaded(String),
    /// The configuration claims for it.
    #[error("[plugins.{0}] claims calls or products; take that out of the configuration and restart")]
    Configured(String),
    /// More files than are looked at.
    #[error("{} is one of more than {max} files", file.display())]
    TooMany {
        /// The file.
        file: PathBuf,
        /// How many there may be.
        max: usize,
    },
    /// This program cannot load anything.
    #[error("this build is statically linked and cannot load plugins; use the build for glibc")]
    StaticHost,
    /// The server ends.
    #[error("the server is shutting down")]
    ShutDown,
    /// A fault of ours.
    #[error("internal fault: {0}")]
    Internal(String),
}

impl LoadError {
    /// What metrics count it as; `None` if no file was refused.
    pub const fn result(&self) -> Option<LoadResult> {
        Some(match self {
            Self::File(_) | Self::TooMany { .. } | Self::StaticHost | Self::StaticTls | Self::Machine { .. } => {
                LoadResult::Io
            }
            Self::Inspect(InspectError::NotElf | InspectError::Damaged(_)) | Self::Image(ImageError::Open { .. }) => {
                LoadResult::Io
            }
            Self::Inspect(InspectError::OtherAbi { .. } | InspectError::Manifest(ManifestError::Abi { .. }))
            | Self::Image(ImageError::Abi { .. }) => LoadResult::AbiMismatch,
            Self::Inspect(InspectError::NotPlugin | InspectError::NoEntry) => LoadResult::SymbolMissing,
            Self::Image(ImageError::NoEntry | ImageError::NoTable) => LoadResult::SymbolMissing,
            Self::Inspect(InspectError::Manifest(_) | InspectError::ManifestUnreadable)
            | Self::Image(ImageError::NoFunction { .. })
            | Self::Claim(_)
            | Self::Config { .. }
            | Self::Idle(_)
            | Self::PanicAbort(_) => LoadResult::BadManifest,
            Self::Conflict(_) => LoadResult::DuplicateModule,
            Self::Create(_) | Self::Stuck | Self::EndsServer { .. } | Self::Internal(_) => LoadResult::InitFailed,
            Self::Disabled(_)
            | Self::UnknownPlugin(_)
            | Self::StillLoaded(_)
            | Self::NothingBefore(_)
            | Self::Configured(_)
            | Self::ShutDown => return None,
        })
    }
}

/// Why the plugins could not be started at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Their metrics are registered already.
    #[error("the plugins' metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
    /// What is remembered of plugins cannot be read, so that calls could pass one by.
    #[error("what is remembered of plugins cannot be used; restore it, or remove it to free all their claims")]
    Remembered(#[from] FileError),
}

#[cfg(test)]
mod tests;
