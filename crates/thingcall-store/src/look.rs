//! What can be known of a store without opening it to write: whether a server could, and which transports it names.
//!
//! **Invariant:** nothing is made and nothing is written; a server may run meanwhile.

use std::path::Path;

use rustix::fs::{Access, access};
use thingcall_core::Problem;

use crate::found::Look;
use crate::{Config, postgres, sqlite};

/// Looks at the data folder and at the store; there need be neither.
pub async fn look(config: &Config, data: &Path) -> Look {
    let problems = of_folder(data);
    match &config.url {
        _ if !problems.is_empty() => Look { problems, ..Look::default() },
        Some(url) => postgres::look(config, url).await,
        None => sqlite::look(&data.join(&config.file)).await,
    }
}

/// A folder that is there must be one that can be written; of one that is not, the nearest above it.
fn of_folder(data: &Path) -> Vec<Problem> {
    let data = if data.as_os_str().is_empty() { Path::new(".") } else { data };
    let there = |path: &&Path| path.as_os_str().is_empty() || path.symlink_metadata().is_ok();
    let nearest = data.ancestors().find(there).filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let why = match nearest.metadata() {
        Err(error) => error.to_string(),
        Ok(found) if !found.is_dir() => "it is no folder".to_owned(),
        Ok(_) => match access(nearest, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => return Vec::new(),
            Err(error) => std::io::Error::from(error).to_string(),
        },
    };
    let why = if nearest == data { why } else { format!("{}: {why}", nearest.display()) };
    vec![Problem::file("data", data, why, "a folder that this user can write, or one that it can make")]
}

#[cfg(test)]
mod tests;
