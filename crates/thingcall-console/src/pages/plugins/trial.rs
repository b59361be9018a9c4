//! A call of a plugin, tried without a device: what it would send, what it would answer, and how long it took.

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;

use crate::fields::{choice, line, typed};
use crate::form::Form;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{address, asked, json, list, part, table, text};

/// How many answers of the device the form has room for.
const REPLIES: [&str; 3] = ["reply1", "reply2", "reply3"];

/// What a page says beside the form.
enum Said<'a> {
    Nothing,
    Refused(&'a Refused),
    Came(&'a Value),
}

/// The form; with a product in its address, with that product's services to choose from.
pub(crate) async fn ask(seat: Seat, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let product = asked(query.as_deref(), "product");
    page(&seat, &name, Typed { form: None, product: &product }, Said::Nothing).await
}

/// What was typed.
#[derive(Clone, Copy)]
struct Typed<'a> {
    /// In the form that comes back.
    form: Option<&'a Form>,
    /// The product; empty: the one of the plugin's first claim, if it names one.
    product: &'a str,
}

/// How many modules' services are offered.
const MODULES_MAX: usize = 16;

/// The services of a product, as its thing model names them; none if it has none, or this key may not read it.
async fn services(seat: &Seat, product: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut modules = vec![String::new()];
    while let Some(module) = modules.pop().filter(|_| !product.is_empty()) {
        let params = [("ProductKey", product), ("FunctionBlockId", &module)];
        let params: Vec<_> = params.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let Ok(found) = seat.performed("QueryThingModel", &params).await else { continue };
        let told = found.get("Data").map(|data| text(data, "ThingModelJson")).unwrap_or_default();
        let told: Value = serde_json::from_str(&told).unwrap_or_default();
        let before = if module.is_empty() { String::new() } else { format!("{module}:") };
        names.extend(
            list(&told, &["services"]).iter().map(|service| format!("{before}{}", text(service, "identifier"))),
        );
        let named = list(&told, &["functionBlocks"]).iter().take(MODULES_MAX);
        modules.extend(named.map(|block| text(block, "functionBlockId")));
    }
    names
}

/// Makes the call.
pub(crate) async fn run(Path(name): Path<String>, form: Form) -> Response {
    let mut pairs: Vec<_> = ["product", "service", "args", "mode"].map(|field| (field, form.field(field))).to_vec();
    pairs.extend(REPLIES.iter().map(|reply| ("reply", form.field(reply))));
    let typed = Typed { form: Some(&form), product: form.field("product") };
    match form.seat.change(&address(&format!("/plugins/{}/try", part(&name)), &pairs)).await {
        Ok(came) => page(&form.seat, &name, typed, Said::Came(&came)).await,
        Err(why) => page(&form.seat, &name, typed, Said::Refused(&why)).await,
    }
}

async fn page(seat: &Seat, name: &str, typed: Typed<'_>, said: Said<'_>) -> Response {
    let lang = seat.lang;
    let title = format!("{} · {name}", lang.say("Try a call", "试调用"));
    let plugin = match seat.ask(&format!("/plugins/{}", part(name))).await {
        Ok(plugin) => plugin,
        Err(why) => {
            let status = if why.code == "404" { StatusCode::NOT_FOUND } else { StatusCode::UNPROCESSABLE_ENTITY };
            return (status, layout::refused_page(seat, &title, &why)).into_response();
        }
    };
    let first = list(&plugin, &["claims"]).first().and_then(Value::as_str).unwrap_or_default();
    let of_claim = first.split_once('/').map_or("", |(product, _)| product);
    let product = if typed.product.is_empty() { of_claim } else { typed.product };
    let services = services(seat, product).await;
    let (status, beside) = match said {
        Said::Nothing => (StatusCode::OK, html! {}),
        Said::Refused(why) => (StatusCode::UNPROCESSABLE_ENTITY, layout::refused(lang, why)),
        Said::Came(came) => (StatusCode::OK, outcome(seat, came)),
    };
    let body = html! {
        p { a href="/plugins" { "← " (lang.say("All plugins", "全部插件")) } }
        p { (lang.say(
            "The plugin runs, in this server, as for any call; the device is played, so nothing is sent to any. The call counts in the \
             plugin's figures, and what the plugin logs is in the server's log.",
            "插件在本服务器中真实运行，但设备是模拟的，不会向任何设备发送数据。该调用计入插件的统计，插件日志写入服务器日志。",
        )) }
        (beside)
        (services_of(seat, name, product))
        (form_of(seat, (name, &plugin), typed.form, (product, &services)))
    };
    (status, layout::page(seat, &title, &body)).into_response()
}

/// Another product, whose services the form offers then.
fn services_of(seat: &Seat, name: &str, product: &str) -> Markup {
    let lang = seat.lang;
    html! {
        form.inline method="get" action=(format!("/plugins/{}/try", part(name))) {
            label for="of" { (lang.say("Offer the services of the product", "列出产品的服务")) }
            input id="of" name="product" type="text" value=(product) maxlength="32" autocomplete="off";
            button type="submit" { (lang.say("Offer", "列出")) }
        }
    }
}

fn form_of(
    seat: &Seat,
    (name, plugin): (&str, &Value),
    form: Option<&Form>,
    (product, services): (&str, &[String]),
) -> Markup {
    let lang = seat.lang;
    let claims: Vec<_> = list(plugin, &["claims"]).iter().filter_map(Value::as_str).collect();
    // `PRODUCT/module:service`, without its product.
    let first = claims.first().map_or("", |claim| claim.split_once('/').map_or(*claim, |(_, service)| service));
    let service = if first.contains('*') { "" } else { first };
    let modes = [
        ("", "as the thing model says, else sync", "按物模型，否则同步"),
        ("sync", "sync: the caller waits", "同步"),
        ("async", "async: the caller does not wait", "异步"),
    ];
    html! {
        form method="post" action=(format!("/plugins/{}/try", part(name))) {
            (layout::token(seat))
            div.fields {
                (line("product", lang.say("Product key (with one that exists, its thing model counts)", "ProductKey（若存在则按其物模型校验）"), typed(form, "product", product), 32))
                p.field {
                    label for="service" { (lang.say("Service, or MODULE:SERVICE", "服务，或 模块:服务")) }
                    input id="service" name="service" type="text" list="services" value=(typed(form, "service", service)) maxlength="101" autocomplete="off";
                    datalist id="services" { @for service in services { option value=(service) {} } }
                }
                (choice(lang, "mode", lang.say("Mode", "调用方式"), &modes, typed(form, "mode", "")))
            }
            p.hint { (lang.say("It handles ", "该插件处理 ")) code { (claims.join(", ")) } }
            p.field {
                label for="args" { (lang.say("Arguments, a JSON object", "参数（JSON 对象）")) }
                textarea id="args" name="args" rows="4" spellcheck="false" { (typed(form, "args", "{}")) }
            }
            @for (nth, reply) in REPLIES.iter().enumerate() {
                p.field {
                    label for=(reply) { (lang.say("What the device answers, command ", "设备应答，第 ")) (nth + 1) (lang.say("", " 条命令")) }
                    input id=(reply) name=(reply) type="text" value=(typed(form, reply, "")) autocomplete="off" spellcheck="false";
                }
            }
            p.hint { (lang.say(
                "Data such as {\"value\":20}; an answer such as {\"code\":460,\"message\":\"busy\",\"data\":{}}; or the words timeout or offline, which here come at once.",
                "数据如 {\"value\":20}；完整应答如 {\"code\":460,\"message\":\"busy\",\"data\":{}}；或 timeout、offline（此处立即返回）。",
            )) }
            button.main type="submit" { (lang.say("Try it", "试调用")) }
        }
    }
}

/// What came of it: how it ended, and each step.
fn outcome(seat: &Seat, came: &Value) -> Markup {
    let lang = seat.lang;
    let steps = list(came, &["steps"]);
    let rows: Vec<_> = steps.iter().map(|step| row(seat, step)).collect();
    let heads = ["ms", lang.say("Step", "步骤"), lang.say("What", "内容")];
    let (failed, beside) = (text(came, "failed"), text(came, "beside"));
    html! {
        section.told role="status" {
            h2 {
                @if !failed.is_empty() { (lang.say("The call would fail", "调用将失败")) }
                @else if came.get("accepted").is_some() { (lang.say("The call would be accepted", "调用将被接受")) }
                @else { (lang.say("The caller would get code ", "调用方将得到 code ")) (text(came, "code")) }
            }
            @if !failed.is_empty() { p { (failed) } }
            @if !beside.is_empty() { p.hint { (beside.replace("--reply", lang.say("the answers below", "下方的应答"))) } }
            (table(lang.say("Step by step", "逐步过程"), &heads, &rows, ""))
        }
    }
}

fn row(seat: &Seat, step: &Value) -> Vec<Markup> {
    let lang = seat.lang;
    let words = match text(step, "step").as_str() {
        "call" => lang.say("the plugin gets", "插件收到"),
        "asks" => lang.say("it would send to the device", "将发送给设备"),
        "answers" => lang.say("the device answers", "设备应答"),
        "result" => lang.say("the caller gets", "调用方得到"),
        _ => "",
    };
    let mut members = step.clone();
    if let Some(members) = members.as_object_mut() {
        members.retain(|name, _| name != "step" && name != "atMs");
    }
    vec![html! { (text(step, "atMs")) }, html! { (words) }, json(&members)]
}
