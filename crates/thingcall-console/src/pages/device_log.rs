//! What happens to one device, as it happens.

use std::time::Duration;

use async_trait::async_trait;
use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};
use tokio::time::sleep;

use crate::cell::Cell;
use crate::live::{self, Ask, News, Row, Source};
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{part, text};

/// How often it is asked what is new.
const PAUSE: Duration = Duration::from_secs(1);

/// The part of its page.
pub(crate) fn section(seat: &Seat, product: &str, name: &str) -> Markup {
    let lang = seat.lang;
    let heads =
        [lang.say("At", "时间"), lang.say("What", "事件"), lang.say("Topic", "Topic"), lang.say("Bytes", "字节数")];
    let path = format!("/devices/{}/{}/log", part(product), part(name));
    html! {
        section {
            h2 { (lang.say("Live log", "实时日志")) }
            (live::table(lang, &path, (lang.say("What happens now", "当前发生的事件"), &heads), &[]))
        }
    }
}

/// Follows it.
pub(crate) async fn follow(ask: Ask, Path((product, name)): Path<(String, String)>) -> Response {
    ask.follow(Log { dropped: format!("/devices/{}/{}/dropped", part(&product), part(&name)), last: None })
}

struct Log {
    dropped: String,
    last: Option<String>,
}

#[async_trait]
impl Source for Log {
    async fn next(&mut self, seat: &Seat) -> Result<Vec<News>, Refused> {
        sleep(PAUSE).await;
        let found = match seat.ask(&self.dropped).await {
            Err(why) if why.code == "404" => return Ok(Vec::new()),
            found => found?,
        };
        let times = text(&found, "times");
        if self.last.replace(times.clone()).is_some_and(|last| last == times) {
            return Ok(Vec::new());
        }
        let what = format!("{}: {}", text(&found, "reason"), text(&found, "right"));
        let cells = vec![
            Cell::Moment(text(&found, "at")),
            Cell::Text(what),
            Cell::Code(text(&found, "topic")),
            Cell::Text(text(&found, "bytes")),
        ];
        Ok(vec![News::Row(Row { place: String::new(), cells })])
    }
}
