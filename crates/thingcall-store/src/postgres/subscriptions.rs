//! Consumer groups and subscriptions: the SQL that reads and writes them.

use sqlx::{PgConnection, PgPool};
use thingcall_core::{ConsumerGroup, GroupId, ProductKey, Subscription};

use crate::groups::Subscribed;
use crate::message_rows as rows;

/// Held by whoever changes groups or subscriptions, until the commit: "subscr", as a number.
const SUBSCRIBED_LOCK: i64 = 0x7375_6273_6372;

const GROUPS: &str = "SELECT id, name, created_at FROM consumer_groups";
const SUBSCRIPTIONS: &str = "SELECT product, topics, members FROM subscriptions";
const SINCE: &str = "SELECT since FROM message_log";

/// Every group and every subscription.
pub(super) async fn subscribed(reads: &PgPool) -> Result<Subscribed, sqlx::Error> {
    all(&mut *reads.acquire().await?).await
}

/// Every group and every subscription, which nobody else changes until the commit.
pub(super) async fn locked(conn: &mut PgConnection) -> Result<Subscribed, sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(SUBSCRIBED_LOCK).execute(&mut *conn).await?;
    all(conn).await
}

async fn all(conn: &mut PgConnection) -> Result<Subscribed, sqlx::Error> {
    let since: i64 = sqlx::query_scalar(SINCE).fetch_one(&mut *conn).await?;
    let groups = sqlx::query(GROUPS).fetch_all(&mut *conn).await?;
    let subscriptions = sqlx::query(SUBSCRIPTIONS).fetch_all(conn).await?;
    rows::subscribed(since, &groups, &subscriptions)
}

/// A new group, or another name of one.
pub(super) async fn put_group(conn: &mut PgConnection, group: &ConsumerGroup) -> Result<(), sqlx::Error> {
    let put = "INSERT INTO consumer_groups (id, name, created_at) VALUES ($1, $2, $3) \
               ON CONFLICT (id) DO UPDATE SET name = excluded.name";
    let put = sqlx::query(put).bind(group.id.to_string()).bind(group.name.clone()).bind(group.created_at.0);
    put.execute(conn).await.map(drop)
}

/// There is no such group any more.
pub(super) async fn remove_group(conn: &mut PgConnection, id: &GroupId) -> Result<(), sqlx::Error> {
    let remove = sqlx::query("DELETE FROM consumer_groups WHERE id = $1");
    remove.bind(id.to_string()).execute(conn).await.map(drop)
}

/// A subscription, in place of the product's if it has one.
pub(super) async fn put_subscription(conn: &mut PgConnection, subscription: &Subscription) -> Result<(), sqlx::Error> {
    let (topics, members) = rows::lists(subscription);
    let put = "INSERT INTO subscriptions (product, topics, members) VALUES ($1, $2, $3) \
               ON CONFLICT (product) DO UPDATE SET topics = excluded.topics, members = excluded.members";
    sqlx::query(put).bind(subscription.product.to_string()).bind(topics).bind(members).execute(conn).await.map(drop)
}

/// The product has none any more.
pub(super) async fn remove_subscription(conn: &mut PgConnection, product: &ProductKey) -> Result<(), sqlx::Error> {
    let remove = sqlx::query("DELETE FROM subscriptions WHERE product = $1");
    remove.bind(product.to_string()).execute(conn).await.map(drop)
}
