//! Devices from a list: one on each line, and for each line what became of it.

use std::collections::HashMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use thingcall_core::{DeviceName, ProductKey, Secret, Target, audit_target};
use tracing::info;

use super::NICKNAME_CHARACTERS_MAX;
use crate::csv::{self, Line};
use crate::form::Form;
use crate::lang::Lang;
use crate::layout;
use crate::operations::{Enlisted, NewDevice};
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, table};

/// Whoever may register one may register them from a list.
const ACTION: &str = "RegisterDevice";
/// How many lines a list has.
const LINES_MAX: usize = 2000;
/// The longest secret.
const SECRET_CHARACTERS_MAX: usize = 128;
/// What a first line may begin with that names the fields.
const HEADS: [&str; 2] = ["name", "devicename"];

/// What became of a line.
struct Told {
    number: usize,
    name: String,
    end: Enlisted,
}

/// The form.
pub(super) fn form(seat: &Seat, product: &str, list: &str) -> Markup {
    let lang = seat.lang;
    let label = match lang {
        Lang::En => format!(
            "One device a line: name, nickname, secret. Nickname and secret may be left out. At most {LINES_MAX} lines."
        ),
        Lang::Zh => format!("每行一个设备：名称,备注名,密钥；备注名与密钥可省略。最多 {LINES_MAX} 行。"),
    };
    html! {
        section {
            h2 { (lang.say("Devices from a list (CSV)", "批量添加（CSV）")) }
            form method="post" action="/devices/list" {
                (layout::token(seat))
                input type="hidden" name="product" value=(product);
                p.field { label for="list" { (label) } textarea id="list" name="list" rows="8" spellcheck="false" required { (list) } }
                p.field.file hidden {
                    label for="file" { (lang.say("Choose a file, or drop one onto the text", "选择文件，或拖放到文本框")) }
                    input id="file" type="file" accept=".csv,.txt,text/csv,text/plain" data-into="list";
                    span role="status" data-said=(lang.say("In the text above is now ", "上方文本已替换为 ")) {}
                }
                button type="submit" { (lang.say("Register all", "全部注册")) }
            }
        }
    }
}

/// Registers those of a list.
pub(crate) async fn add_list(form: Form) -> Response {
    let (seat, product, list) = (&form.seat, form.field("product"), form.field("list"));
    let lines: Vec<_> = csv::lines(list).collect();
    let found = match product.parse::<ProductKey>() {
        Err(why) => Err(Refused { code: "ProductKey".to_owned(), text: why.to_string() }),
        Ok(_) if lines.len() > LINES_MAX => Err(too_many(seat.lang, lines.len())),
        Ok(_) if lines.is_empty() => Err(empty(seat.lang)),
        Ok(key) => Ok(enlisted(seat, &key, lines).await),
    };
    let title = seat.lang.say("Devices from a list", "批量添加设备");
    match found {
        Ok(told) => {
            let body = html! {
                (ends(seat.lang, &told))
                p { a href=(address("/devices", &[("product", product)])) { (seat.lang.say("To the devices of this product", "返回该产品的设备列表")) } }
            };
            layout::page(seat, title, &body).into_response()
        }
        Err(why) => {
            let body = html! { (layout::refused(seat.lang, &why)) (self::form(seat, product, list)) };
            (StatusCode::UNPROCESSABLE_ENTITY, layout::page(seat, title, &body)).into_response()
        }
    }
}

fn too_many(lang: Lang, lines: usize) -> Refused {
    let text = match lang {
        Lang::En => format!("The list has {lines} lines; {LINES_MAX} may be. Cut it in parts. None was registered."),
        Lang::Zh => format!("列表有 {lines} 行，最多 {LINES_MAX} 行。请分批提交。未注册任何设备。"),
    };
    Refused { code: lang.say("too long", "过长").to_owned(), text }
}

fn empty(lang: Lang) -> Refused {
    let text = lang.say("The list has no line.", "列表为空。");
    Refused { code: lang.say("empty", "空").to_owned(), text: text.to_owned() }
}

/// What becomes of each line.
async fn enlisted(seat: &Seat, product: &ProductKey, lines: Vec<Line>) -> Vec<Told> {
    let (mut told, mut new, mut places) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = HashMap::new();
    for (at, line) in lines.into_iter().enumerate() {
        if at == 0 && is_head(&line) {
            continue;
        }
        let name = line.fields.as_ref().ok().and_then(|fields| fields.first()).cloned().unwrap_or_default();
        let end = match read(seat, product, &line) {
            Ok(device) => match seen.insert(device.name.clone(), line.number) {
                Some(before) => Some(Enlisted::Refused(repeated(seat.lang, before))),
                None => {
                    places.push(told.len());
                    new.push(device);
                    None
                }
            },
            Err(why) => Some(Enlisted::Refused(why)),
        };
        let untold = || Enlisted::Refused("nothing is known of it".to_owned());
        told.push(Told { number: line.number, name, end: end.unwrap_or_else(untold) });
    }
    for (place, end) in places.into_iter().zip(seat.desk.operations.register(product, new).await) {
        if let Some(told) = told.get_mut(place) {
            note(seat, product, &told.name, &end);
            told.end = end;
        }
    }
    let added = told.iter().filter(|told| told.end == Enlisted::Added).count();
    info!(key = seat.key.id, %product, added, lines = told.len(), "devices were registered from a list, by the console");
    told
}

/// Notes what was asked for, as if each were registered by itself.
fn note(seat: &Seat, product: &ProductKey, name: &str, end: &Enlisted) {
    let refused = match end {
        Enlisted::Added => None,
        Enlisted::There => return,
        Enlisted::Refused(why) => Some(Refused { code: "refused".to_owned(), text: why.clone() }),
    };
    if let Some(trail) = &seat.trail {
        let target = audit_target([("ProductKey", product.as_str()), ("DeviceName", name)].into_iter());
        trail.step(ACTION, target, refused.as_ref());
    }
}

fn is_head(line: &Line) -> bool {
    let first = line.fields.as_ref().ok().and_then(|fields| fields.first());
    first.is_some_and(|first| HEADS.iter().any(|head| first.eq_ignore_ascii_case(head)))
}

fn repeated(lang: Lang, before: usize) -> String {
    match lang {
        Lang::En => format!("line {before} has this name already"),
        Lang::Zh => format!("与第 {before} 行名称重复"),
    }
}

/// The device that a line names.
fn read(seat: &Seat, product: &ProductKey, line: &Line) -> Result<NewDevice, String> {
    let lang = seat.lang;
    let fields = line.fields.as_ref().map_err(|_| lang.say("a quote is not closed", "引号未闭合").to_owned())?;
    let field = |at: usize| fields.get(at).map(String::as_str).filter(|field| !field.is_empty());
    if fields.len() > 3 {
        return Err(lang.say("it has more than three fields", "超过三个字段").to_owned());
    }
    let name = DeviceName::try_from(field(0).unwrap_or_default()).map_err(|why| why.to_string())?;
    let shown = |text: &str, max: usize| text.chars().count() <= max && !text.chars().any(char::is_control);
    if !field(1).is_none_or(|nickname| shown(nickname, NICKNAME_CHARACTERS_MAX)) {
        return Err(lang
            .say(
                "its nickname is longer than 64 characters, or has some that cannot be seen",
                "备注名超过 64 个字符或含不可见字符",
            )
            .to_owned());
    }
    if !field(2).is_none_or(|secret| shown(secret, SECRET_CHARACTERS_MAX) && secret.is_ascii()) {
        return Err(lang
            .say("its secret is longer than 128 characters, or not of ASCII", "密钥超过 128 个字符或含非 ASCII 字符")
            .to_owned());
    }
    let target = Target::Device { product: product.as_str(), name: name.as_str() };
    seat.must_allow(ACTION, target).map_err(|why| why.to_string())?;
    Ok(NewDevice { name, nickname: field(1).map(str::to_owned), secret: field(2).map(Secret::new) })
}

/// What became of the lines; lines beside each other that came to the same are shown as one.
fn ends(lang: Lang, told: &[Told]) -> Markup {
    let count = |end: fn(&Enlisted) -> bool| told.iter().filter(|told| end(&told.end)).count();
    let added = count(|end| matches!(end, Enlisted::Added));
    let there = count(|end| matches!(end, Enlisted::There));
    let refused = count(|end| matches!(end, Enlisted::Refused(_)));
    let rows: Vec<_> = told.chunk_by(|one, other| one.end == other.end).filter_map(|run| row(lang, run)).collect();
    let heads = [lang.say("Lines", "行"), lang.say("Device", "设备"), lang.say("What became of it", "结果")];
    html! {
        p role="status" {
            strong {
                (lang.say("Registered: ", "已注册：")) (added)
                @if there > 0 { " · " (lang.say("there already: ", "已存在：")) (there) }
                " · " (lang.say("refused: ", "被拒绝：")) (refused)
            }
        }
        (table(lang.say("Each line", "逐行结果"), &heads, &rows, ""))
    }
}

fn row(lang: Lang, run: &[Told]) -> Option<Vec<Markup>> {
    let (first, last) = (run.first()?, run.last()?);
    let (kind, word) = match &first.end {
        Enlisted::Added => ("good", lang.say("registered", "已注册")),
        Enlisted::There => ("good", lang.say("there already, with this secret", "已存在且密钥相同")),
        Enlisted::Refused(why) => ("bad", why.as_str()),
    };
    let is_one = run.len() == 1;
    Some(vec![
        html! { (first.number) @if !is_one { "–" (last.number) } },
        html! { code { (first.name) } @if !is_one { " … " code { (last.name) } " (" (run.len()) ")" } },
        html! { span.outcome.(kind) { (word) } },
    ])
}
