//! Calls as they come, and how those that were shown end.
//!
//! **Invariant:** a call is told once for each state it is seen in.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::time::sleep;

use super::{Wanted, cells, end_of};
use crate::live::{Ask, News, Row, Source};
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, list as values, text};

/// How soon calls are seen.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many are read at once; where more came between two looks, the page is told so.
const PAGE: usize = 100;
/// How many calls that were told are remembered.
const TOLD_MAX: usize = 4 * PAGE;

/// Follows those that are looked for.
pub(crate) async fn follow(RawQuery(query): RawQuery, ask: Ask) -> Response {
    let mut calls = Calls { wanted: Wanted::read(query.as_deref()), told: Told::default() };
    // What is there already stands on the page.
    match calls.newest(&ask.seat).await {
        Ok(found) => found.iter().for_each(|call| calls.told.note(call)),
        Err(why) => return (StatusCode::FORBIDDEN, why.to_string()).into_response(),
    }
    ask.follow(calls)
}

struct Calls {
    wanted: Wanted,
    told: Told,
}

impl Calls {
    /// The newest ones, the oldest of them first.
    async fn newest(&self, seat: &Seat) -> Result<Vec<Value>, Refused> {
        let pairs = self.wanted.pairs();
        let limit = PAGE.to_string();
        let mut pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        pairs.push(("limit", &limit));
        let found = seat.ask(&address("/calls", &pairs)).await?;
        Ok(values(&found, &["calls"]).iter().rev().cloned().collect())
    }
}

#[async_trait]
impl Source for Calls {
    async fn next(&mut self, seat: &Seat) -> Result<Vec<News>, Refused> {
        loop {
            sleep(LOOK_EVERY).await;
            let found = self.newest(&seat.again()?).await?;
            let all = found.len();
            let new: Vec<_> = found.into_iter().filter(|call| self.told.is_new(call)).collect();
            if new.is_empty() {
                continue;
            }
            // None of a whole page was known: others came before it.
            let missed = (new.len() == all && all == PAGE).then_some(News::Missed(1));
            let rows = new.iter().map(|call| News::Row(Row { place: String::new(), cells: cells(call) }));
            return Ok(missed.into_iter().chain(rows).collect());
        }
    }
}

/// Calls that were told, each with the state it was in.
#[derive(Debug, Default)]
struct Told {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Told {
    fn note(&mut self, call: &Value) {
        self.is_new(call);
    }

    fn is_new(&mut self, call: &Value) -> bool {
        let name = format!("{} {} {}", text(call, "requestId"), text(call, "messageId"), end_of(call));
        if !self.known.insert(name.clone()) {
            return false;
        }
        self.order.push_back(name);
        while self.order.len() > TOLD_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
