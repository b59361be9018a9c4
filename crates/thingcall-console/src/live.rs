//! Rows that come to a page while somebody looks at it, as server-sent events.
//!
//! A handler takes an [`Ask`] and answers with [`Ask::follow`], which asks its [`Source`] for what is new for as long as the page is
//! looked at; [`table`] is the table to which the script puts the rows.
//!
//! **Invariants:** there are never more than `live_tails_max`. A tail ends with its login and its key, and when the server stops. What
//! waits for a reader is one batch of its source and what HTTP writes ahead: a source is asked again when that was taken, and tells
//! ([`News::Missed`]) what it had to let go meanwhile.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use maud::{Markup, html};
use serde_json::json;
use thingcall_listen::{Caller, Streaming};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::cell::Cell;
use crate::desk::Desk;
use crate::lang::Lang;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::asked;
use crate::tails::Place;

/// How often it is looked whether the login still counts.
const TICK: Duration = Duration::from_secs(1);
/// So many ticks without a row, and something is sent, so that one who is gone is noticed.
const HEARTBEAT_TICKS: u32 = 15;
/// How long one lasts. The browser comes again behind the last row it had.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a browser waits before it does, in milliseconds.
const RETRY_MS: u64 = 2000;
/// How many rows a page keeps; those that came first go.
const ROWS_MAX: usize = 200;

/// Where rows come from.
#[async_trait]
pub(crate) trait Source: Send + 'static {
    /// Waits for what is new. What the key of this seat may not see is no news; it is the key as it is now.
    ///
    /// # Errors
    /// Why nothing more will come. The page tells it, and does not come again.
    async fn next(&mut self, seat: &Seat) -> Result<Vec<News>, Refused>;
}

/// What a source tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// A row.
    Row(Row),
    /// So many rows were let go, since this page did not read them in time.
    #[allow(dead_code, reason = "of sources that do not wait for their readers")]
    Missed(u64),
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where a source goes on when the page comes again; empty if it cannot.
    pub(crate) place: String,
    /// Its fields.
    pub(crate) cells: Vec<Cell>,
}

/// A page of somebody who is logged in asks for rows as they come.
pub(crate) struct Ask {
    /// Who asks.
    pub(crate) seat: Seat,
    /// The place of the last row that the page has: what it read from here, or else `after` of the query. Empty if it has none.
    #[allow(dead_code, reason = "of sources that keep what they told")]
    pub(crate) after: String,
    caller: Caller,
}

impl<S: Send + Sync> FromRequestParts<S> for Ask
where
    Arc<Desk>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let seat = Seat::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let caller = Extension::<Caller>::from_request_parts(parts, state).await;
        let Extension(caller) = caller.map_err(IntoResponse::into_response)?;
        let last = parts.headers.get(HeaderName::from_static("last-event-id")).and_then(|value| value.to_str().ok());
        let after = last.map_or_else(|| asked(parts.uri.query(), "after"), str::to_owned);
        Ok(Self { seat, after, caller })
    }
}

impl Ask {
    /// Answers with what this source tells, while the page is there.
    pub(crate) fn follow(self, source: impl Source) -> Response {
        let place = match self.seat.desk.tails.take(&self.seat.key.id) {
            Ok(place) => place,
            Err(max) => return full(self.seat.lang, max),
        };
        let (out, chunks) = channel(1);
        let feeder = Feeder { seat: self.seat, out, stopping: self.caller.draining().clone(), quiet: 0 };
        tokio::spawn(feeder.run(source));
        let kept = Kept { chunks, _place: place, _streaming: self.caller.streams() };
        let body = stream::unfold(kept, |mut kept| async {
            let chunk = kept.chunks.recv().await?;
            Some((Ok::<_, Infallible>(chunk), kept))
        });
        ([(CONTENT_TYPE, "text/event-stream; charset=utf-8")], Body::from_stream(body)).into_response()
    }
}

fn full(lang: Lang, max: usize) -> Response {
    let text = match lang {
        Lang::En => format!(
            "{max} pages follow what happens, which is all that may (live_tails_max); close one, or load this page again for what is new"
        ),
        Lang::Zh => {
            format!("已有 {max} 个页面在实时查看，达到上限（live_tails_max）；请关闭其他页面，或刷新本页查看最新内容")
        }
    };
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], text).into_response()
}

/// What a tail holds while its page is there.
struct Kept {
    chunks: Receiver<Bytes>,
    _place: Place,
    _streaming: Streaming,
}

/// Why one ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    /// The page is gone, or is to come again.
    Quietly,
    /// For this reason, which the page shows.
    For(Refused),
}

impl From<Refused> for Ended {
    fn from(why: Refused) -> Self {
        Self::For(why)
    }
}

/// One tail's task.
struct Feeder {
    seat: Seat,
    out: Sender<Bytes>,
    stopping: CancellationToken,
    /// Ticks since something was sent.
    quiet: u32,
}

impl Feeder {
    async fn run(mut self, mut source: impl Source) {
        let (gone, stopping, until) = (self.out.clone(), self.stopping.clone(), Instant::now() + LIFETIME);
        let why = tokio::select! {
            biased;
            () = gone.closed() => Ended::Quietly,
            () = stopping.cancelled() => Ended::Quietly,
            () = sleep_until(until) => Ended::Quietly,
            why = self.feed(&mut source) => why,
        };
        if let Ended::For(why) = why {
            // Nobody is left to read it otherwise.
            gone.send(event("end", "", &json!({ "text": why.to_string() }).to_string())).await.ok();
        }
    }

    async fn feed(&mut self, source: &mut impl Source) -> Ended {
        match self.tells(Bytes::from(format!("retry: {RETRY_MS}\n:\n\n"))).await {
            Ok(()) => {}
            Err(why) => return why,
        }
        loop {
            if let Err(why) = self.step(source).await {
                return why;
            }
        }
    }

    /// Hands on what the source tells next.
    async fn step(&mut self, source: &mut impl Source) -> Result<(), Ended> {
        let seat = self.seat.clone();
        let mut next = source.next(&seat);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let news = loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.tick().await?,
                news = &mut next => break news?,
            }
        };
        if !news.is_empty() {
            self.seat = self.seat.again()?;
            self.tells(told(&news)).await?;
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), Ended> {
        self.seat = self.seat.again()?;
        self.quiet += 1;
        if self.quiet > HEARTBEAT_TICKS {
            self.tells(Bytes::from_static(b":\n\n")).await?;
        }
        Ok(())
    }

    async fn tells(&mut self, chunk: Bytes) -> Result<(), Ended> {
        self.quiet = 0;
        self.out.send(chunk).await.map_err(|_| Ended::Quietly)
    }
}

fn told(news: &[News]) -> Bytes {
    let events = news.iter().map(|news| match news {
        News::Row(row) => {
            let cells: Vec<_> = row.cells.iter().map(Cell::json).collect();
            event("row", &row.place, &json!(cells).to_string())
        }
        News::Missed(rows) => event("missed", "", &json!({ "rows": rows }).to_string()),
    });
    Bytes::from(events.collect::<Vec<_>>().concat())
}

/// An event. Its data are JSON on one line.
fn event(name: &str, place: &str, data: &str) -> Bytes {
    let place: String = place.chars().filter(|char| !char.is_control()).collect();
    let id = if place.is_empty() { String::new() } else { format!("id: {place}\n") };
    Bytes::from(format!("{id}event: {name}\ndata: {data}\n\n"))
}

/// A table whose rows come while it is looked at, newest first, from this path; `rows` are there already.
pub(crate) fn table(lang: Lang, path: &str, (caption, heads): (&str, &[&str]), rows: &[Row]) -> Markup {
    html! {
        div.live {
            div.bar {
                p role="status"
                    data-open=(lang.say("Live: rows come as things happen.", "实时：新内容自动出现。"))
                    data-paused=(lang.say("Paused. Rows that wait: ", "已暂停。等待中的行数："))
                    data-lost=(lang.say("The connection is lost; it is tried again.", "连接已断开，正在重试。"))
                    data-ended=(lang.say("Not live: ", "已停止："))
                    data-missed=(lang.say("Rows left out here, since this page was too slow: ", "本页读取过慢，此处省略的行数："))
                    { (lang.say("Load the page again for what is new.", "刷新页面查看最新内容。")) }
                button type="button" hidden data-resume=(lang.say("Go on", "继续")) { (lang.say("Pause", "暂停")) }
            }
            div.wide tabindex="0" role="region" aria-label=(caption) {
                table {
                    caption { (caption) }
                    thead { tr { @for head in heads { th scope="col" { (head) } } } }
                    tbody data-live=(path) data-rows-max=(ROWS_MAX) aria-live="polite" aria-relevant="additions" {
                        @for row in rows { tr { @for cell in &row.cells { td { (cell.markup()) } } } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
