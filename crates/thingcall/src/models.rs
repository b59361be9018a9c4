//! Reads the files of a thing model: the default module's, and those of custom modules.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::Value;
use thingcall_core::ProductKey;
use thingcall_tsl::{ModelProblem, ModelProblems, ThingModel};

use crate::exit::WrongUse;

mod encoding;

/// A file's path and text.
#[derive(Debug, Clone)]
struct File {
    path: PathBuf,
    text: String,
}

/// The files of one thing model. Which is which is seen in them: a custom module has a `functionBlockId`.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    main: File,
    modules: Vec<File>,
}

impl Files {
    /// Reads files in whatever order.
    ///
    /// # Errors
    /// [`WrongUse`] if one cannot be read or is no JSON, or if there is not exactly one default module.
    pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut mains = Vec::new();
        let mut modules = Vec::new();
        for path in paths {
            let bytes =
                std::fs::read(path).map_err(|error| WrongUse(format!("{} cannot be read: {error}", path.display())))?;
            let text = encoding::text(path, bytes).map_err(WrongUse)?;
            let file = File { path: path.clone(), text };
            if is_module(&file.text) { modules.push(file) } else { mains.push(file) }
        }
        match <[File; 1]>::try_from(mains) {
            Ok([main]) => Ok(Self { main, modules }),
            Err(mains) => Err(WrongUse(not_one(&mains)).into()),
        }
    }

    /// The model, and a line for each thing in it that is perhaps not as it was meant.
    ///
    /// # Errors
    /// All that is wrong with it, each with file and place.
    pub(crate) fn parse(&self) -> anyhow::Result<(ThingModel, Vec<String>)> {
        let problems = match self.parsed() {
            Ok(parsed) => return Ok(parsed),
            Err(problems) => self.lines(problems.iter()),
        };
        bail!("the thing model is wrong\n  {}", problems.join("\n  "))
    }

    /// The model and a line for each warning.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn parsed(&self) -> Result<(ThingModel, Vec<String>), ModelProblems> {
        let modules: Vec<&str> = self.modules.iter().map(|file| file.text.as_str()).collect();
        let (model, warnings) = ThingModel::parse_and_warn(&self.main.text, &modules)?;
        Ok((model, self.lines(warnings.iter())))
    }

    /// One line each, with the file.
    pub(crate) fn lines<'p>(&self, problems: impl Iterator<Item = &'p ModelProblem>) -> Vec<String> {
        problems.map(|problem| format!("{}: {problem}", self.file_of(&problem.place).display())).collect()
    }

    /// The file of a problem: a module's place begins with `module ID:`.
    fn file_of(&self, place: &str) -> &Path {
        let id = place.strip_prefix("module ").and_then(|rest| rest.split(':').next());
        let module = id.and_then(|id| self.modules.iter().find(|file| module_id(&file.text).as_deref() == Some(id)));
        &module.unwrap_or(&self.main).path
    }

    /// The product key that the main file names.
    pub(crate) fn product_key(&self) -> Option<ProductKey> {
        let value: Value = serde_json::from_str(&self.main.text).ok()?;
        value.get("profile")?.get("productKey")?.as_str()?.try_into().ok()
    }

    /// A name for the product: that of the main file.
    pub(crate) fn name(&self) -> String {
        self.main.path.file_stem().map_or_else(|| "product".to_owned(), |stem| stem.to_string_lossy().into_owned())
    }
}

fn is_module(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value.get("functionBlockId").is_some())
}

fn module_id(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.get("functionBlockId")?.as_str().map(str::to_owned)
}

fn not_one(mains: &[File]) -> String {
    let no_json = mains.iter().find(|file| serde_json::from_str::<Value>(&file.text).is_err());
    if let Some((file, Err(problems))) = no_json.map(|file| (file, ThingModel::parse(&file.text, &[]))) {
        return format!("{}: {problems}", file.path.display());
    }
    if mains.is_empty() {
        return "none of the files is a default module (one without functionBlockId); give that file too".to_owned();
    }
    let names: Vec<_> = mains.iter().map(|file| file.path.display().to_string()).collect();
    format!(
        "{} are default modules (they have no functionBlockId); give the files of one thing model at a time",
        names.join(" and ")
    )
}

#[cfg(test)]
mod tests;
