//! Why a thing model cannot be used.

use std::fmt;

use crate::limits::PROBLEMS_MAX;

/// One thing that is wrong in a model's file. Its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelProblem {
    /// Where: a JSON path such as `$.services[2].inputData[0].dataType.specs.min`, after `module testFb: ` for a
    /// module's file; `line 3, column 7` where the file is not JSON.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub right: String,
}

impl fmt::Display for ModelProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.problem, self.right)
    }
}

/// Everything that is wrong in a model's files, in the order of the files: at least one problem, and at most 100; how
/// many more there are is counted. Its `Display` is a line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelProblems {
    told: Vec<ModelProblem>,
    more: usize,
}

impl ModelProblems {
    /// The problems.
    pub fn iter(&self) -> impl Iterator<Item = &ModelProblem> {
        self.told.iter()
    }

    /// How many more there are than [`Self::iter`] tells.
    pub fn more(&self) -> usize {
        self.more
    }
}

impl fmt::Display for ModelProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.told.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "\n" })?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more problems", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ModelProblems {}

/// Collects problems while files are read.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    told: Vec<ModelProblem>,
    more: usize,
    warned: Vec<ModelProblem>,
    file: String,
    /// The files were taken once: what else they may be does not matter any more.
    pub(crate) taken_before: bool,
}

impl Collected {
    /// What stands before the places of the file that is read next: nothing, or `module testFb: `.
    pub(crate) fn in_file(&mut self, prefix: String) {
        self.file = prefix;
    }

    /// Adds a problem.
    pub(crate) fn add(&mut self, place: &str, problem: impl Into<String>, right: impl Into<String>) {
        if self.told.len() >= PROBLEMS_MAX {
            self.more += 1;
            return;
        }
        let place = format!("{}{place}", self.file);
        self.told.push(ModelProblem { place, problem: problem.into(), right: right.into() });
    }

    /// Adds what is taken, and perhaps not as it was meant.
    pub(crate) fn warn(&mut self, place: &str, problem: impl Into<String>, right: impl Into<String>) {
        if self.warned.len() < PROBLEMS_MAX {
            let place = format!("{}{place}", self.file);
            self.warned.push(ModelProblem { place, problem: problem.into(), right: right.into() });
        }
    }

    /// The problems if there are any, else the warnings.
    pub(crate) fn finish(self) -> Result<Vec<ModelProblem>, ModelProblems> {
        if self.told.is_empty() { Ok(self.warned) } else { Err(ModelProblems { told: self.told, more: self.more }) }
    }
}
