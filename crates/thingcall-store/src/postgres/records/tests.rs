//! The condition in SQL and the one in memory are the same.

use enum_map::Enum;
use sqlx::Connection;
use test_postgres::Postgres;
use thingcall_core::{Qos, RecordState, TransportKind};

use super::*;
use crate::outbox::waits;

#[tokio::test]
async fn sql_and_memory_say_the_same_of_every_command() {
    let mut conn = PgConnection::connect(&Postgres::shared().database().url()).await.unwrap();
    sqlx::query("CREATE TABLE calls (qos SMALLINT, state SMALLINT, transport TEXT)").execute(&mut conn).await.unwrap();
    let states = [RecordState::Queued, RecordState::Sent, RecordState::Acked, RecordState::Ended];
    let transports = || (0..TransportKind::LENGTH).map(|at| Some(TransportKind::from_usize(at))).chain([None]);
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        for (state, transport) in states.into_iter().flat_map(|state| transports().map(move |of| (state, of))) {
            sqlx::query("DELETE FROM calls").execute(&mut conn).await.unwrap();
            let insert = sqlx::query("INSERT INTO calls VALUES ($1, $2, $3)").bind(i16::from(qos.level()));
            let insert = insert.bind(columns::rank(state)).bind(transport.map(TransportKind::as_str));
            insert.execute(&mut conn).await.unwrap();
            let count = concat!("SELECT COUNT(*) FROM calls WHERE ", waiting!());
            let found: i64 = sqlx::query_scalar(count).fetch_one(&mut conn).await.unwrap();
            assert_eq!(found == 1, waits(qos, state, transport), "{qos:?} {state:?} {transport:?}");
        }
    }
}
