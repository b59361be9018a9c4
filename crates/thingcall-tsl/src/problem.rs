//! Why a thing model cannot be used.

use std::fmt;

/// One thing that is wrong in a model's file. Its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelProblem {
    /// Where: a JSON path such as `$.services[2].inputData[0].dataType.specs.min`, after `module testFb:` for a
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

/// Everything that is wrong in a model's files, in the order of the files. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelProblems(Vec<ModelProblem>);

impl ModelProblems {
    /// The problems.
    pub fn iter(&self) -> impl Iterator<Item = &ModelProblem> {
        self.0.iter()
    }
}

impl fmt::Display for ModelProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ModelProblems {}
