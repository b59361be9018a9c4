//! Where the program under test keeps what it keeps: in its data folder, or, where `THINGCALL_TESTS_STORE` is `postgres` or
//! a test says so, in a database that goes with that folder.
//!
//! **Invariant:** every command and every server of one data folder finds the same database.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use test_postgres::{Database, Postgres};

/// By the data folder.
static DATABASES: LazyLock<Mutex<HashMap<PathBuf, Database>>> = LazyLock::new(Mutex::default);

/// Whether the program keeps it in PostgreSQL in this run.
///
/// # Panics
/// If the variable says neither.
pub fn in_postgres() -> bool {
    match std::env::var("THINGCALL_TESTS_STORE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("THINGCALL_TESTS_STORE is {other:?}; right is sqlite or postgres"),
    }
}

/// From now on this database goes with this data folder, whatever the run asks for: several instances share one.
///
/// # Panics
/// Never: nobody panics with the list.
pub fn goes_with(data: &Path, database: &Database) {
    DATABASES.lock().expect("nobody panicked").insert(data.to_owned(), database.clone());
}

/// Tells this command of the program its store, by the data folder among its arguments.
pub fn tell(command: &mut Command) {
    let mut arguments = command.get_args().skip_while(|argument| *argument != "--data").skip(1);
    let Some(data) = arguments.next().map(PathBuf::from) else { return };
    if in_postgres() || DATABASES.lock().expect("nobody panicked").contains_key(&data) {
        command.env("THINGCALL__STORE__URL", database_of(&data).url());
    }
}

/// The database of this data folder; a new one for one that was not named before.
///
/// # Panics
/// If it cannot be made.
pub fn database_of(data: &Path) -> Database {
    let mut databases = DATABASES.lock().expect("nobody panicked");
    databases.entry(data.to_owned()).or_insert_with(|| Postgres::shared().database()).clone()
}
