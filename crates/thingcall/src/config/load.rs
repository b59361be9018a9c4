//! Reads the configuration and says everything that is wrong with it, each with its place.

use std::io::ErrorKind;
use std::path::Path;

use config::{Environment, File, FileFormat, Value, ValueKind};
use thingcall_core::Problem;

use super::secret_files::SecretFiles;
use super::sources::{Flag, Found, PREFIX, Place, Problems, Sources, Text};
use super::{Config, words};

/// More problems than these are not listed.
const PROBLEMS_MAX: usize = 50;

/// A configuration, as far as it could be read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// What could be read, with defaults where something is wrong; `None` if nothing could.
    pub config: Option<Config>,
    /// All that is wrong with its values, without a look at anything else but files that hold secrets.
    pub problems: Problems,
    /// Those of its keys whose files could not be read; each is among the problems.
    unread: Vec<String>,
    /// What works and should be otherwise.
    pub warnings: Problems,
    /// Where the values stand.
    pub sources: Sources,
}

impl Reading {
    fn nothing(sources: Sources, problem: Problem, line: Option<usize>) -> Self {
        let place = sources.text.as_ref().map_or(Place::Defaults, |text| Place::File(text.path.clone(), line));
        Self { problems: Problems(vec![Found { place, problem }]), sources, ..Self::default() }
    }

    /// The configuration, if nothing is wrong with it.
    ///
    /// # Errors
    /// All that is.
    pub(crate) fn right(self) -> Result<Config, Problems> {
        match self.config {
            Some(config) if self.problems.0.is_empty() => Ok(config),
            _ => Err(self.problems),
        }
    }

    /// The same for a command: beside the store's, it needs no secret, and may be run by somebody who cannot read them.
    ///
    /// # Errors
    /// All that is wrong otherwise.
    pub(crate) fn right_for_commands(mut self) -> Result<Config, Problems> {
        let of_others = |key: &String| self.unread.contains(key) && !key.starts_with("store.");
        self.problems.0.retain(|found| !of_others(&found.problem.key));
        self.right()
    }

    /// Whether all that is wrong is that files could not be read, which may be otherwise at the next attempt.
    pub(crate) fn is_unread_alone(&self) -> bool {
        self.problems.0.iter().all(|found| self.unread.contains(&found.problem.key))
    }
}

/// Reads this file, the environment's variables on top, and the command line's flags on top of them.
pub(crate) fn read(file: Option<&Path>, flags: Vec<Flag>) -> Reading {
    let mut sources = Sources { flags, ..Sources::default() };
    if let Some(path) = file {
        let read = std::fs::read_to_string(path);
        sources.text = Some(Text { path: path.to_owned(), text: read.as_ref().map(Clone::clone).unwrap_or_default() });
        if let Err(error) = read {
            let problem = if error.kind() == ErrorKind::InvalidData {
                Problem::new("", "not UTF-8", "a file saved as UTF-8, for example with: iconv -f GBK -t UTF-8 FILE")
            } else {
                Problem::new("", format!("unreadable ({error})"), "a file that this user can read")
            };
            return Reading::nothing(sources, problem, None);
        }
    }
    read_from(sources)
}

pub(super) fn read_from(sources: Sources) -> Reading {
    if let Some(Text { text, .. }) = &sources.text
        && let Err(error) = toml::de::DeTable::parse(text)
    {
        // Its own display shows the line, which may hold a secret.
        let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
        let what = error.message().trim().replace('\n', ", ");
        let problem = Problem::new("", format!("not TOML ({what})"), "as deploy/thingcall.example.toml shows it");
        return Reading::nothing(sources, problem, line);
    }
    let mut root = match merge(&sources) {
        Ok(root) => root,
        Err(error) => {
            let problem = Problem::new("", format!("unreadable ({error})"), "keys of one section in one place");
            return Reading::nothing(sources, problem, None);
        }
    };
    let mut secrets = SecretFiles::default();
    secrets.resolve(&mut root, &sources);
    let mut problems = Problems::default();
    let mut config = None;
    // One pass finds one problem: take the wrong key out and look again.
    while problems.0.len() < PROBLEMS_MAX {
        let error = match root.clone().try_deserialize::<Config>() {
            Ok(mut read) => {
                read.traces.with_variables(|name| sources.variable(name));
                let already: Vec<_> = problems.0.iter().map(|found| found.problem.key.clone()).collect();
                let more = read.problems().into_iter().filter(|problem| !already.contains(&problem.key));
                problems
                    .0
                    .extend(more.filter_map(|problem| secrets.told(problem)).map(|problem| sources.find(problem)));
                config = Some(read);
                break;
            }
            Err(error) => error,
        };
        let problem = words::problem(&error, &root);
        if problem.right == words::LIST && sources.is_variable(&problem.key) && make_list(&mut root, &problem.key) {
            secrets.resolve(&mut root, &sources);
            continue;
        }
        // What is missing cannot be taken out: its section can.
        let section = problem.key.rsplit_once('.').map_or("", |(section, _)| section);
        let removed = remove(&mut root, &problem.key) || remove(&mut root, section);
        problems.0.push(sources.find(problem));
        if !removed {
            break;
        }
    }
    let unread = secrets.keys_of_unread();
    problems.0.append(&mut secrets.problems.0);
    problems.sort();
    Reading { config, problems, unread, warnings: secrets.warnings, sources }
}

pub(super) fn merge(sources: &Sources) -> Result<Value, config::ConfigError> {
    let mut builder = config::Config::builder();
    if let Some(Text { text, .. }) = &sources.text {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    // Not `try_parsing`: it would turn a secret of digits into a number.
    let environment = Environment::with_prefix(PREFIX).separator("__").source(sources.variables.clone());
    builder = builder.add_source(environment);
    for flag in &sources.flags {
        builder = builder.set_override(flag.key, flag.value.clone())?;
    }
    builder.build().map(|config| config.cache)
}

/// A variable has only texts. Where a list must be, one that is written as in the file is read as one; `false` if it is none.
fn make_list(root: &mut Value, path: &str) -> bool {
    let Some(value) = at(root, path) else { return false };
    let ValueKind::String(text) = &value.kind else { return false };
    let text = format!("list = {text}");
    let read = config::Config::builder().add_source(File::from_str(&text, FileFormat::Toml)).build();
    match read.and_then(|read| read.get::<Value>("list")) {
        Ok(list) if matches!(list.kind, ValueKind::Array(_)) => {
            *value = list;
            true
        }
        Ok(_) | Err(_) => false,
    }
}

fn at<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    path.split('.').try_fold(value, |value, name| {
        let ValueKind::Table(table) = &mut value.kind else { return None };
        table.get_mut(name)
    })
}

/// Takes the value at this path out; `false` if there is none.
fn remove(value: &mut Value, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let name = words::bare(name);
    let ValueKind::Table(table) = &mut value.kind else { return false };
    match (rest, table.get_mut(name)) {
        (Some(rest), Some(inner)) if matches!(inner.kind, ValueKind::Table(_)) => remove(inner, rest),
        _ => table.remove(name).is_some(),
    }
}

#[cfg(test)]
pub(super) fn read_for_test(text: &str, variables: &[(&str, &str)], flags: Vec<Flag>) -> Reading {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let text = Some(Text { path: "t.toml".into(), text: text.to_owned() });
    read_from(Sources { text, variables: Some(variables), flags })
}
