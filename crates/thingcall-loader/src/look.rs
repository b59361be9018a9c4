//! Which plugins a server would refuse, as far as that can be told without running any of their code.
//!
//! Their files are read and inspected as a load does it, in the same order, up to the point where the library would be
//! opened. What only its code can tell is left: whether the system can link it, and what its `create` says.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thingcall_core::Problem;

use crate::book::{Book, FILES_MAX};
use crate::candidate::{Candidate, host_can_load};
use crate::config::{Config, PluginConfigs};
use crate::conflict::Conflict;
use crate::ended::Endings;
use crate::error::LoadError;
use crate::folders::{folder, kept_folder, list};
use crate::kept::Kept;
use crate::reserved::takes_nothing_kept;
use crate::routes::Wish;

/// What was found: the server starts without these plugins, and their calls fail.
#[derive(Debug, Default)]
pub struct Look {
    /// Files that it would not load.
    pub refused: Vec<(PathBuf, Problem)>,
    /// Sections with claims whose plugin is in none of the files.
    pub absent: Vec<Problem>,
}

/// Why a server would not start at all with this plugin folder, which need not be there, and this data folder.
pub fn problems_of_folders(config: &Config, data: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    let folder = folder(config, data);
    if let Err(error) = std::fs::read_dir(&folder)
        && error.kind() != ErrorKind::NotFound
    {
        problems.push(Problem::file("loader.folder", &folder, error, "a folder that this user can read, or none"));
    }
    if let Err(error) = Kept::new(kept_folder(data)).records() {
        let right = "what was remembered of plugins, or no such folder, which frees all their claims";
        problems.push(Problem::file("data", &kept_folder(data), error, right));
    }
    problems
}

/// Looks at the plugins' files. Takes as long as it takes to read them all.
pub fn look(config: &Config, plugins: &PluginConfigs, data: &Path) -> Look {
    let mut look = Look::default();
    let folder = folder(config, data);
    let endings = Endings::remembered(kept_folder(data));
    let mut wishes: Vec<(PathBuf, Wish)> = Vec::new();
    // What is refused, or is switched off, is there all the same.
    let mut there = BTreeSet::new();
    for (number, file) in list(&folder).into_iter().enumerate() {
        let seen = candidate(number, &file, config).and_then(|candidate| {
            there.insert(candidate.manifest().name.clone());
            wish(&candidate, plugins, &wishes).and_then(|wish| {
                if !config.force {
                    endings.outlived(&wish.name, &candidate.read.sha256)?;
                }
                Ok(wish)
            })
        });
        match seen {
            Ok(wish) => wishes.push((file, wish)),
            Err(LoadError::Disabled(_)) => {}
            Err(error) => look.refused.push((file, refused(&error))),
        }
    }
    // What cannot be read is a problem of the folder's.
    let book = Book::remembering(Kept::new(kept_folder(data)).records().unwrap_or_default());
    for (file, wish) in &wishes {
        let there = |name: &str| wishes.iter().any(|(_, wish)| wish.name == name);
        if let Err(conflict) = takes_nothing_kept(wish, &book, plugins, there) {
            look.refused.push((file.clone(), refused(&conflict.into())));
        }
    }
    for (name, section) in plugins.iter().filter(|(name, section)| section.enabled && !there.contains(*name)) {
        if section.claims.is_some() || section.codecs.is_some() {
            let value = format_args!("a section with claims, and no file in {} holds that plugin", folder.display());
            look.absent.push(Problem::new(format!("plugins.{name}"), value, "a plugin that is there, or no section"));
        }
    }
    look
}

fn refused(error: &LoadError) -> Problem {
    let right = "a file that this server can load, as `thingcall plugin inspect` tells, or none";
    Problem::new("", format_args!("refused ({error})"), right)
}

fn candidate(number: usize, file: &Path, config: &Config) -> Result<Candidate, LoadError> {
    host_can_load(cfg!(target_feature = "crt-static"))?;
    if number >= FILES_MAX {
        return Err(LoadError::TooMany { file: file.to_owned(), max: FILES_MAX });
    }
    Candidate::read(file, config)
}

/// What it asks for, beside what those before it have.
fn wish(candidate: &Candidate, plugins: &PluginConfigs, before: &[(PathBuf, Wish)]) -> Result<Wish, LoadError> {
    let wish = candidate.wish(&candidate.settings(plugins))?;
    for (active, other) in before {
        if other.name == wish.name {
            let (name, active, new) = (wish.name.clone(), active.clone(), candidate.file.clone());
            return Err(Conflict::Name { name, active, new }.into());
        }
        wish.beside(other)?;
    }
    Ok(wish)
}

#[cfg(test)]
mod tests;
