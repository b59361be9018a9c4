//! What errors mean, and how long is waited.

use std::error::Error as StdError;
use std::fmt;

use sqlx::error::{DatabaseError, ErrorKind};

use super::*;
use crate::failure::Written;

/// An error of the server's with this code.
#[derive(Debug)]
struct Coded(&'static str);

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl StdError for Coded {}

impl DatabaseError for Coded {
    fn message(&self) -> &str {
        self.0
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(self.0.into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

#[test]
fn each_code_is_a_case_of_the_trouble_that_people_can_do_something_about() {
    for (code, trouble) in [
        ("53100", Trouble::Full),
        ("58030", Trouble::Disk),
        ("25006", Trouble::ReadOnly),
        ("40P01", Trouble::Locked),
        ("XX001", Trouble::Damaged),
        ("57P01", Trouble::Unreachable),
        ("57P03", Trouble::Unreachable),
        ("53300", Trouble::Unreachable),
        ("08006", Trouble::Unreachable),
        ("22012", Trouble::Other),
    ] {
        let error = Error::Database(Box::new(Coded(code)));
        assert_eq!(of(&error), trouble, "{code}");
    }
    assert_eq!(of(&Error::Io(std::io::ErrorKind::ConnectionRefused.into())), Trouble::Unreachable);
    assert_eq!(of(&Error::RowNotFound), Trouble::Other);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_given_up_and_only_a_commit_is_in_doubt() {
    let ran_out = Arc::<RanOut>::default();
    let second = &Limit::new(Duration::from_secs(1), Wait::Answer, ran_out.clone());
    let never = || std::future::pending::<Result<(), Error>>();
    let asked = within(second, never()).await.unwrap_err();
    assert_eq!((asked.trouble(), asked.written()), (Trouble::Unreachable, Written::No));
    let committed = commit_within(second, never()).await.unwrap_err();
    assert_eq!((committed.trouble(), committed.written()), (Trouble::Unreachable, Written::Perhaps));
    assert_eq!((ran_out.of(Wait::Answer), ran_out.of(Wait::Connect)), (2, 0));
    let refused = async { Err(Error::Database(Box::new(Coded("40001")))) };
    assert_eq!(commit_within(second, refused).await.unwrap_err().written(), Written::No);
}
