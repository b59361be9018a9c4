//! Secrets that stand in files of their own: beside each key that holds a secret, `KEY_file` names a file with it.
//!
//! **Invariants:** this is the one place where such files are read, each time the configuration is. What was read never shows: a problem
//! names the file and why, never what it holds.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use config::{Value, ValueKind};
use thingcall_core::Problem;

use super::sources::{Place, Problems, Sources};
use super::words::{FILE_SUFFIX as SUFFIX, SECRETS};

/// A longer one is not a secret but the wrong file.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// What a path begins with that is a credential of the systemd unit.
const CREDENTIAL: &str = "credential:";
/// Where systemd says that those are.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Where Docker puts secrets, for all in the container to read, which is the server alone.
const CONTAINERS: &str = "/run/secrets";
/// In place of a secret that could not be read, so that nothing else is said of it.
const UNREAD: &str = "unread";

/// What came of the files.
#[derive(Debug, Default)]
pub(super) struct SecretFiles {
    /// The keys, such as `store.password`, whose secrets come from files.
    from_files: Vec<String>,
    /// Those of them that could not be read.
    unread: Vec<String>,
    /// Why not.
    pub(super) problems: Problems,
    /// What should be otherwise.
    pub(super) warnings: Problems,
}

impl SecretFiles {
    /// Puts what the files hold in place of their names.
    pub(super) fn resolve(&mut self, root: &mut Value, sources: &Sources) {
        self.within(root, "", sources);
    }

    /// A problem with a secret that came from a file is told of the file; of one that was not read, what it is for says nothing.
    pub(super) fn told(&self, mut problem: Problem) -> Option<Problem> {
        if self.unread.contains(&problem.key) {
            return None;
        }
        if self.from_files.contains(&problem.key) {
            problem.key.push_str(SUFFIX);
        }
        Some(problem)
    }

    /// The keys of the files that could not be read.
    pub(super) fn keys_of_unread(&self) -> Vec<String> {
        self.problems.0.iter().map(|found| found.problem.key.clone()).collect()
    }

    fn within(&mut self, value: &mut Value, path: &str, sources: &Sources) {
        // What plugins keep is theirs.
        if path == "plugins" {
            return;
        }
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let ValueKind::Array(items) = &mut value.kind {
            for (number, item) in items.iter_mut().enumerate() {
                self.within(item, &format!("{path}[{number}]"), sources);
            }
        }
        let ValueKind::Table(table) = &mut value.kind else { return };
        for (name, inner) in table.iter_mut() {
            self.within(inner, &below(name), sources);
        }
        for name in SECRETS {
            let Some(file) = table.remove(&format!("{name}{SUFFIX}")) else { continue };
            let key = below(name);
            match self.secret(&key, &file, table.contains_key(*name), sources) {
                Some(secret) => {
                    table.insert((*name).to_owned(), Value::new(None, ValueKind::String(secret)));
                    self.from_files.push(key);
                }
                None => continue,
            }
        }
    }

    /// The secret of this file, unless another source's secret wins over it.
    fn secret(&mut self, key: &str, file: &Value, is_given: bool, sources: &Sources) -> Option<String> {
        let key_of_file = format!("{key}{SUFFIX}");
        if is_given {
            match (sources.place(key), sources.place(&key_of_file)) {
                (Place::Variable(_), Place::File(..)) => return None,
                (Place::File(..), Place::Variable(_)) => {}
                _ => {
                    let name = key.rsplit('.').next().unwrap_or(key);
                    let right = format!("one of {name} and {name}{SUFFIX}");
                    let problem = Problem::new(key_of_file, "not the only one", right);
                    self.problems.0.push(sources.find(problem));
                    self.unread.push(key.to_owned());
                    return Some(UNREAD.to_owned());
                }
            }
        }
        let read = match &file.kind {
            ValueKind::String(name) => read(&key_of_file, name, sources),
            ValueKind::Nil
            | ValueKind::Boolean(_)
            | ValueKind::I64(_)
            | ValueKind::I128(_)
            | ValueKind::U64(_)
            | ValueKind::U128(_)
            | ValueKind::Float(_)
            | ValueKind::Table(_)
            | ValueKind::Array(_) => Err(Problem::new(&*key_of_file, "no text", "the name of a file with the secret")),
        };
        match read {
            Ok((secret, doubt)) => {
                self.warnings.0.extend(doubt.map(|doubt| sources.find(doubt)));
                Some(secret)
            }
            Err(problem) => {
                self.problems.0.push(sources.find(problem));
                self.unread.push(key.to_owned());
                Some(UNREAD.to_owned())
            }
        }
    }
}

/// What is in the file, and whether others can read it, too.
fn read(key: &str, name: &str, sources: &Sources) -> Result<(String, Option<Problem>), Problem> {
    let path = place_of(key, name, sources)?;
    let right = "a file with the secret alone that this user can read";
    let wrong = |why: &dyn std::fmt::Display| Problem::file(key, &path, why, right);
    let about = std::fs::metadata(&path).map_err(|error| wrong(&error))?;
    if !about.is_file() {
        return Err(wrong(&"it is no file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(|error| wrong(&error))?;
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(wrong(&format_args!("it has more than {SECRET_BYTES_MAX} bytes")));
    }
    let Ok(text) = String::from_utf8(bytes) else { return Err(wrong(&"it is not UTF-8")) };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(wrong(&"it is empty"));
    }
    if text.contains(['\n', '\0']) {
        return Err(wrong(&"it has more than one line, or a zero byte"));
    }
    let doubt = is_for_all(&path, about.mode()).then(|| {
        let right = "a file that its owner and a group of theirs can read: chmod 640";
        Problem::file(key, &path, format_args!("mode {:04o}: every user can read it", about.mode() & 0o7777), right)
    });
    Ok((text.to_owned(), doubt))
}

fn place_of(key: &str, name: &str, sources: &Sources) -> Result<PathBuf, Problem> {
    let Some(credential) = name.strip_prefix(CREDENTIAL) else { return Ok(PathBuf::from(name)) };
    let named = !credential.is_empty() && !credential.contains('/') && !credential.starts_with('.');
    if !named {
        return Err(Problem::new(
            key,
            format_args!("{name:?}"),
            "credential:NAME, as in the unit's LoadCredential=NAME:FILE",
        ));
    }
    let folder = sources.variable(CREDENTIALS).ok_or_else(|| {
        let why = format!("{name:?}, and {CREDENTIALS} is not set");
        let right = format!("a start by systemd, with LoadCredential={credential}:FILE in the unit");
        Problem::new(key, why, right)
    })?;
    Ok(Path::new(&folder).join(credential))
}

/// Whether every user of the machine can read a file of this mode.
fn is_for_all(path: &Path, mode: u32) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let may_enter = |folder: &Path| folder.metadata().is_ok_and(|about| about.mode() & 0o001 != 0);
    mode & 0o004 != 0 && !path.starts_with(CONTAINERS) && path.ancestors().skip(1).all(may_enter)
}

#[cfg(test)]
mod tests;
