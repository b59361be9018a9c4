//! The one connection that writes.
//!
//! **Invariant:** after any error it is not used again before it was seen to be sound, or made anew. SQLite may have rolled
//! back by itself, which sqlx does not learn of: it goes on counting a transaction that is none, and begins no other.

use std::ops::{Deref, DerefMut};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};
use tracing::debug;

/// The connection.
#[derive(Debug)]
pub(crate) struct WriteConnection {
    conn: SqliteConnection,
    options: SqliteConnectOptions,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    /// A transaction was begun and did not reach its commit.
    Doubtful,
    /// Something failed on it.
    Failed,
}

/// A transaction; dropped, it is rolled back.
#[derive(Debug)]
pub(crate) struct Tx<'c> {
    tx: Transaction<'c, Sqlite>,
    state: &'c mut State,
}

impl WriteConnection {
    /// One that was just opened with these options.
    pub(crate) fn new(conn: SqliteConnection, options: SqliteConnectOptions) -> Self {
        Self { conn, options, state: State::Sound }
    }

    /// Something failed on it.
    pub(crate) fn failed(&mut self) {
        self.state = State::Failed;
    }

    /// Begins to write.
    pub(crate) async fn begin(&mut self) -> Result<Tx<'_>, sqlx::Error> {
        self.mend().await?;
        let Self { conn, state, .. } = self;
        *state = State::Doubtful;
        Ok(Tx { tx: conn.begin_with("BEGIN IMMEDIATE").await?, state })
    }

    /// It, to read what was written last.
    pub(crate) async fn read(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.mend().await?;
        Ok(&mut self.conn)
    }

    async fn mend(&mut self) -> Result<(), sqlx::Error> {
        if self.state == State::Sound {
            return Ok(());
        }
        // Waits for the rollback that a dropped transaction asked for.
        let lives = self.conn.ping().await.is_ok();
        if self.state == State::Failed || !lives || self.conn.is_in_transaction() {
            // The old one is dropped after: the last connection of all would fold the log first.
            self.conn = self.options.connect().await?;
            debug!("the store's write connection was opened anew");
        }
        self.state = State::Sound;
        Ok(())
    }
}

impl Tx<'_> {
    /// Returns when all of it is durable.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await?;
        *self.state = State::Sound;
        Ok(())
    }
}

impl Deref for Tx<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &Self::Target {
        &self.tx
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.tx
    }
}
