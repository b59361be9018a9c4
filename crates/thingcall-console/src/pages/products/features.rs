//! The thing model of a product as tables: a section for each module, in it its services, properties and events.

use maud::{Markup, html};
use serde_json::Value;

use super::typed;
use crate::lang::Lang;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, json, list, next, part, table, text};

/// How many features a page shows.
const ROWS_MAX: usize = 120;
/// How many modules a page shows; the others are links.
const MODULES_MAX: usize = 8;

/// What of the model a page shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct View {
    /// One module alone; the default one is `-`. Empty: all.
    pub(super) module: String,
    /// Which page of its features, from 1 on.
    pub(super) page: usize,
}

/// The default module, in an address.
pub(super) const DEFAULT: &str = "-";

/// The tables.
pub(super) async fn tables(seat: &Seat, key: &str, view: &View) -> Markup {
    let lang = seat.lang;
    let main = match module(seat, key, "").await {
        Ok(main) => main,
        Err(why) if why.code == "iot.prod.NotSeniorProduct" => return none(lang),
        Err(why) => return layout::refused(lang, &why),
    };
    let named: Vec<_> = list(&main, &["functionBlocks"]).iter().map(|block| text(block, "functionBlockId")).collect();
    let mut sections = Vec::new();
    let mut room = ROWS_MAX;
    for id in std::iter::once(String::new()).chain(named.iter().take(MODULES_MAX).cloned()) {
        let place = if id.is_empty() { DEFAULT } else { &id };
        if !view.module.is_empty() && view.module != place {
            continue;
        }
        sections.push(section(seat, (key, &id), &main, (view, &mut room)).await);
    }
    // A module beyond those that are shown together.
    if named.iter().skip(MODULES_MAX).any(|id| *id == view.module) {
        sections.push(section(seat, (key, &view.module), &main, (view, &mut room)).await);
    }
    html! {
        @if !named.is_empty() { (links(lang, key, &named, view)) }
        @for section in &sections { (section) }
        @if sections.is_empty() { p.none { (lang.say("The thing model has no such module.", "物模型没有该模块。")) } }
    }
}

fn none(lang: Lang) -> Markup {
    html! {
        p.none { (lang.say(
            "It has no thing model yet, so no call can be checked. Write or drop one under “Edit”.",
            "尚无物模型，调用无法校验。请在“编辑”中填写或拖入文件。",
        )) }
    }
}

/// A module, as QueryThingModel tells it.
async fn module(seat: &Seat, key: &str, id: &str) -> Result<Value, Refused> {
    let params = [("ProductKey", key), ("FunctionBlockId", id)];
    let params: Vec<_> = params.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let found = seat.performed("QueryThingModel", &params).await?;
    let told = found.get("Data").map(|data| text(data, "ThingModelJson")).unwrap_or_default();
    Ok(serde_json::from_str(&told).unwrap_or_default())
}

fn links(lang: Lang, key: &str, named: &[String], view: &View) -> Markup {
    let path = format!("/products/{}", part(key));
    let all = [("", lang.say("All", "全部")), (DEFAULT, lang.say("Default module", "默认模块"))];
    let all = all.into_iter().chain(named.iter().map(|id| (id.as_str(), id.as_str())));
    html! {
        nav.modules aria-label=(lang.say("Modules", "模块")) {
            @for (id, name) in all {
                a href=(address(&path, &[("module", id)])) aria-current=[(view.module == id).then_some("true")] { (name) } " "
            }
        }
    }
}

async fn section(seat: &Seat, (key, id): (&str, &str), main: &Value, (view, room): (&View, &mut usize)) -> Markup {
    let lang = seat.lang;
    let file = match id {
        "" => Ok(main.clone()),
        id => module(seat, key, id).await,
    };
    let file = match file {
        Ok(file) => file,
        Err(why) => return layout::refused(lang, &why),
    };
    let place = if id.is_empty() { DEFAULT } else { id };
    let path = format!("/products/{}", part(key));
    let counts = KINDS.map(|(kind, ..)| list(&file, &[kind]).len());
    let total: usize = counts.iter().sum();
    let alone = !view.module.is_empty();
    let skip = if alone { (view.page.max(1) - 1).saturating_mul(ROWS_MAX) } else { 0 };
    let take = (*room).min(ROWS_MAX);
    *room = room.saturating_sub(total.saturating_sub(skip));
    let behind = (alone && total > skip.saturating_add(take))
        .then(|| address(&path, &[("module", place), ("page", &(view.page.max(1) + 1).to_string())]));
    html! {
        section.module {
            h3 {
                @if id.is_empty() { (lang.say("Default module", "默认模块")) } @else {
                    code { (id) } " " (text(&file, "functionBlockName"))
                }
            }
            p.hint {
                @for ((_, english, chinese), count) in KINDS.iter().zip(counts) { (lang.say(english, chinese)) ": " (count) " · " }
                a href=(address(&format!("{path}/model"), &[("module", place)])) { (lang.say("Edit", "编辑")) } " · "
                a href=(address(&format!("{path}/model/file"), &[("module", place)])) download { (lang.say("Export", "导出")) }
            }
            @if take == 0 && total > 0 {
                p { a href=(address(&path, &[("module", place)])) { (lang.say("Show this module", "显示该模块")) } }
            } @else {
                (kinds(lang, &file, skip, take))
                @if !alone && total > take {
                    p { a href=(address(&path, &[("module", place)])) { (lang.say("All of this module", "该模块的全部功能")) } }
                }
                (next(lang, behind))
            }
            @if alone { details { summary { (lang.say("As QueryThingModel tells it", "QueryThingModel 返回内容")) } (json(&cut(&file, skip, take))) } }
        }
    }
}

/// The kinds of features, in the order of their tables.
const KINDS: [(&str, &str, &str); 3] =
    [("services", "Services", "服务"), ("properties", "Properties", "属性"), ("events", "Events", "事件")];

/// Some of a module's features.
fn kinds(lang: Lang, file: &Value, mut skip: usize, mut take: usize) -> Markup {
    let mut tables = Vec::new();
    for (kind, english, chinese) in KINDS {
        let all = list(file, &[kind]);
        let shown: Vec<_> = all.iter().skip(skip).take(take).collect();
        skip = skip.saturating_sub(all.len());
        take -= shown.len();
        if shown.is_empty() {
            continue;
        }
        let (heads, row) = columns(lang, kind);
        let rows: Vec<_> = shown.into_iter().map(|feature| row(lang, feature)).collect();
        tables.push(table(lang.say(english, chinese), &heads, &rows, ""));
    }
    html! { @for table in &tables { (table) } }
}

type Row = fn(Lang, &Value) -> Vec<Markup>;

fn columns(lang: Lang, kind: &str) -> (Vec<&'static str>, Row) {
    let (id, name) = (lang.say("Identifier", "标识符"), lang.say("Name", "名称"));
    match kind {
        "services" => (
            vec![
                id,
                name,
                lang.say("Mode", "调用方式"),
                lang.say("Inputs", "输入参数"),
                lang.say("Outputs", "输出参数"),
            ],
            service as Row,
        ),
        "properties" => (vec![id, name, lang.say("Access", "读写类型"), lang.say("Type", "数据类型")], property as Row),
        _ => (vec![id, name, lang.say("Level", "事件类型"), lang.say("Outputs", "输出参数")], event as Row),
    }
}

fn service(lang: Lang, service: &Value) -> Vec<Markup> {
    let mode = text(service, "callType").to_lowercase();
    vec![
        html! { code { (text(service, "identifier")) } },
        named(service, "serviceName"),
        html! { (mode) },
        typed::elements(lang, list(service, &["inputParams"])),
        typed::elements(lang, list(service, &["outputParams"])),
    ]
}

fn property(lang: Lang, property: &Value) -> Vec<Markup> {
    let access = match text(property, "rwFlag").as_str() {
        "READ_WRITE" => lang.say("read, write", "读写"),
        _ => lang.say("read", "只读"),
    };
    vec![
        html! { code { (text(property, "identifier")) } },
        named(property, "name"),
        html! { (access) },
        typed::of(lang, property),
    ]
}

fn event(lang: Lang, event: &Value) -> Vec<Markup> {
    let level = text(event, "eventType").to_lowercase();
    vec![
        html! { code { (text(event, "identifier")) } },
        named(event, "eventName"),
        html! { (level.strip_suffix("_event_type").unwrap_or(&level)) },
        typed::elements(lang, list(event, &["outputdata"])),
    ]
}

fn named(feature: &Value, name: &str) -> Markup {
    let description = text(feature, "description");
    html! { (text(feature, name)) @if !description.is_empty() { br; span.hint { (description) } } }
}

/// The features of a page alone.
fn cut(file: &Value, mut skip: usize, mut take: usize) -> Value {
    let mut file = file.clone();
    for (kind, ..) in KINDS {
        let Some(all) = file.get_mut(kind).and_then(Value::as_array_mut) else { continue };
        let count = all.len();
        let shown: Vec<_> = std::mem::take(all).into_iter().skip(skip).take(take).collect();
        skip = skip.saturating_sub(count);
        take -= shown.len();
        *all = shown;
    }
    file
}
