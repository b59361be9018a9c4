//! What happens to one device, as it happens: at this instance of the server.

use async_trait::async_trait;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use thingcall_core::{DeviceEvent, DeviceKey, DeviceWatch, Happened, Seen, Target};

use crate::cell::Cell;
use crate::lang::Lang;
use crate::live::{self, Ask, News, Row, Source};
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::part;

/// Whoever may read a device's details may see what happens to it.
const ACTION: &str = "QueryDeviceDetail";

/// The part of its page.
pub(crate) fn section(seat: &Seat, product: &str, name: &str) -> Markup {
    let lang = seat.lang;
    let heads = [
        lang.say("At", "时间"),
        lang.say("Way", "通道"),
        lang.say("What", "事件"),
        lang.say("Topic, service", "Topic 或服务"),
        lang.say("Bytes", "字节数"),
        lang.say("More", "说明"),
    ];
    let path = format!("/devices/{}/{}/log", part(product), part(name));
    html! {
        section {
            h2 { (lang.say("Live log", "实时日志")) }
            p.hint {
                (lang.say(
                    "Connections, refused logins of whoever says to be this device, what it publishes and what is sent to it, at this server, from now on.",
                    "本服务器上从现在起该设备的连接、以其名义被拒绝的登录、上报与下发的消息。",
                ))
            }
            (live::table(lang, &path, (lang.say("What happens now", "当前发生的事件"), &heads), &[]))
        }
    }
}

/// Follows it.
pub(crate) async fn follow(Path((product, name)): Path<(String, String)>, ask: Ask) -> Response {
    let (Ok(product), Ok(name)) = (product.parse(), name.parse()) else {
        return (StatusCode::NOT_FOUND, "there can be no such device").into_response();
    };
    let device = DeviceKey { product, name };
    if let Err(why) = may_see(&ask.seat, &device) {
        return (StatusCode::FORBIDDEN, why.to_string()).into_response();
    }
    let watch = ask.seat.desk.operations.watch(device.clone());
    ask.follow(Log { device, watch })
}

fn may_see(seat: &Seat, device: &DeviceKey) -> Result<(), Refused> {
    let target = Target::Device { product: device.product.as_str(), name: device.name.as_str() };
    seat.must_allow(ACTION, target)
}

struct Log {
    device: DeviceKey,
    watch: Box<dyn DeviceWatch>,
}

#[async_trait]
impl Source for Log {
    async fn next(&mut self, seat: &Seat) -> Result<Vec<News>, Refused> {
        let Seen { events, missed } = self.watch.next().await;
        // The key may have other rules by now.
        may_see(&seat.again()?, &self.device)?;
        let rows = events.iter().map(|event| News::Row(Row { place: String::new(), cells: cells(seat.lang, event) }));
        Ok(rows.chain((missed > 0).then_some(News::Missed(missed))).collect())
    }
}

fn cells(lang: Lang, event: &DeviceEvent) -> Vec<Cell> {
    let none = String::new;
    let (what, subject, bytes, more) = match &event.what {
        Happened::Connected(address) => {
            (lang.say("connected", "已连接"), none(), none(), address.clone().unwrap_or_default())
        }
        Happened::Refused(why) => (lang.say("refused", "登录被拒绝"), none(), none(), why.clone()),
        Happened::Left => (lang.say("left", "已断开"), none(), none(), none()),
        Happened::Published { topic, bytes } => {
            (lang.say("published", "上报"), topic.clone(), bytes.to_string(), none())
        }
        Happened::Dropped { reason, topic, bytes, problem } => {
            let problem = problem.as_ref().map(|problem| format!("{problem}; ")).unwrap_or_default();
            let more = format!("{}: {problem}{} {}", reason.as_str(), lang.say("right is", "正确的是"), reason.right());
            (lang.say("dropped", "已丢弃"), topic.clone(), bytes.to_string(), more)
        }
        Happened::Sent(what) => (lang.say("sent to it", "已下发"), what.clone(), none(), none()),
        Happened::NotSent { what, why } => (lang.say("not sent", "未能下发"), what.clone(), none(), why.clone()),
    };
    vec![
        Cell::At(event.at),
        Cell::Text(event.by.to_owned()),
        Cell::Text(what.to_owned()),
        Cell::Code(subject),
        Cell::Text(bytes),
        Cell::Text(more),
    ]
}
