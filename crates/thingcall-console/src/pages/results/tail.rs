//! Messages of devices and calls, as they come.

use async_trait::async_trait;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use thingcall_core::{Message, ProductKey};

use crate::cell::Cell;
use crate::live::{self, Ask, News, Row, Source};
use crate::operations::{MessageTail, Tailed};
use crate::refused::Refused;
use crate::role::Role;
use crate::seat::Seat;
use crate::shown::{address, asked, part};

/// So much of a body is shown.
const BODY_CHARS_MAX: usize = 1000;
/// Where rows come from.
const PATH: &str = "/results/tail/rows";

/// The page.
pub(crate) async fn show(seat: Seat, RawQuery(query): RawQuery) -> Markup {
    let lang = seat.lang;
    let title = lang.say("Messages, live", "实时消息");
    if let Err(why) = seat.must_be(Role::Look) {
        return crate::layout::refused_page(&seat, title, &why);
    }
    let product = asked(query.as_deref(), "product");
    let heads =
        [lang.say("At", "时间"), lang.say("Kind", "类型"), lang.say("Device", "设备"), lang.say("Body", "内容")];
    let rows = address(PATH, &[("product", &product)]);
    let body = html! {
        form.inline method="get" action="/results/tail" {
            label for="product" { (lang.say("Of this product alone", "仅此产品")) }
            input id="product" name="product" type="text" value=(product);
            button type="submit" { (lang.say("Show", "查询")) }
        }
        p.hint { (lang.say(
            "What devices and calls give from now on, also what nobody else wants. It is taken from nobody.",
            "从现在起设备和调用产生的消息，包括无人订阅的消息；不影响任何消费者。",
        )) }
        (live::table(lang, &rows, (title, &heads), &[]))
    };
    crate::layout::page(&seat, title, &body)
}

/// Follows them.
pub(crate) async fn follow(RawQuery(query): RawQuery, ask: Ask) -> Response {
    if let Err(why) = ask.seat.must_be(Role::Look) {
        return (StatusCode::FORBIDDEN, why.to_string()).into_response();
    }
    let product = asked(query.as_deref(), "product");
    let product = match ProductKey::try_from(product.as_str()) {
        Ok(product) => Some(product),
        Err(_) if product.is_empty() => None,
        Err(error) => return (StatusCode::NOT_FOUND, error.to_string()).into_response(),
    };
    match ask.seat.desk.operations.tail(product).await {
        Ok(tail) => ask.follow(Messages(tail)),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

struct Messages(Box<dyn MessageTail>);

#[async_trait]
impl Source for Messages {
    async fn next(&mut self, seat: &Seat) -> Result<Vec<News>, Refused> {
        let told = self.0.next().await.map_err(|text| Refused { code: "503".to_owned(), text });
        // The key may have other rules by now.
        seat.again()?.must_be(Role::Look)?;
        let Tailed { messages, gap } = told?;
        let rows = messages.iter().map(|message| News::Row(Row { place: String::new(), cells: cells(message) }));
        Ok(gap.then_some(News::Missed(1)).into_iter().chain(rows).collect())
    }
}

fn cells(message: &Message) -> Vec<Cell> {
    let (product, name) = (message.device.product.as_str(), message.device.name.as_str());
    let body: String = String::from_utf8_lossy(&message.words.body).chars().take(BODY_CHARS_MAX).collect();
    vec![
        Cell::At(message.at),
        Cell::Text(message.kind.as_str().to_owned()),
        Cell::Link { text: message.device.to_string(), path: format!("/devices/{}/{}", part(product), part(name)) },
        Cell::Code(body),
    ]
}
