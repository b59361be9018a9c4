//! Why does my signature not match? And how is one made, step by step?
//!
//! **Invariant:** of the keys it shows ids alone; whoever may not look at the whole server asks about its own key.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;

use crate::form::Form;
use crate::lang::Lang;
use crate::layout;
use crate::operations::{SendBy, SignatureKind, ToSign, Whose};
use crate::role::Role;
use crate::seat::Seat;
use crate::shown::{asked, list as values, text};

/// So much of a long text is shown; pages stay small.
const SHOWN_CHARS: usize = 12_000;

/// The forms.
pub(crate) async fn ask(seat: Seat, RawQuery(query): RawQuery) -> Markup {
    let query = query.as_deref();
    let fields = Fields { action: asked(query, "action"), params: asked(query, "params"), ..Fields::default() };
    page(&seat, &fields, &html! {})
}

/// What was filled in.
#[derive(Default)]
struct Fields {
    pasted: String,
    action: String,
    params: String,
    style: String,
    method: String,
}

fn page(seat: &Seat, fields: &Fields, result: &Markup) -> Markup {
    let lang = seat.lang;
    let body = html! {
        (result)
        section {
            h2 { (lang.say("Why does my signature not match?", "为什么签名不匹配？")) }
            (paste(seat, &fields.pasted))
        }
        section {
            h2 { (lang.say("Sign a request, step by step", "逐步生成签名")) }
            (sign(seat, fields))
        }
    };
    layout::page(seat, lang.say("Signing", "签名"), &body)
}

fn paste(seat: &Seat, pasted: &str) -> Markup {
    let lang = seat.lang;
    html! {
        form method="post" action="/signature" {
            (layout::token(seat))
            div.field {
                label for="pasted" { (lang.say("What you have", "粘贴内容")) }
                textarea id="pasted" name="pasted" rows="10" required spellcheck="false" autocomplete="off" aria-describedby="pasted-hint" { (pasted) }
            }
            p.hint id="pasted-hint" { (lang.say(
                "A curl command, a whole HTTP request, a signed URL, or the answer or error that says SignatureDoesNotMatch. Below it, if you \
                 can, the string that your code signed. It is kept nowhere; leave secrets out, they are not needed.",
                "curl 命令、完整的 HTTP 请求、已签名的 URL，或提示 SignatureDoesNotMatch 的应答或错误；如有可能，在下面附上代码实际签名的字符串。\
                 内容不会被保存；请不要粘贴密钥，也不需要密钥。",
            )) }
            @if seat.must_be(Role::Look).is_err() {
                p.hint { (lang.say(
                    "The rules of this key let you ask about its own requests alone; with ConsoleLook it would be those of every key.",
                    "当前密钥的规则只允许查询它自己的请求；有 ConsoleLook 权限才能查询所有密钥的请求。",
                )) }
            }
            button.main type="submit" { (lang.say("Explain it", "解释")) }
        }
    }
}

fn sign(seat: &Seat, fields: &Fields) -> Markup {
    let lang = seat.lang;
    let choice = |name: &str, label: &str, all: [(&str, &str); 2], chosen: &str| {
        html! {
            div.field {
                label for=(name) { (label) }
                select id=(name) name=(name) {
                    @for (value, words) in all { option value=(value) selected[value == chosen] { (words) } }
                }
            }
        }
    };
    html! {
        form method="post" action="/signature/steps" {
            (layout::token(seat))
            div.fields {
                div.field {
                    label for="action" { (lang.say("The action", "操作（Action）")) }
                    input id="action" name="action" required value=(fields.action) placeholder="GetDeviceStatus";
                }
                (choice("style", lang.say("Which signature", "签名方式"), [("acs3", "ACS3-HMAC-SHA256"), ("v1", "HMAC-SHA1")], &fields.style))
                (choice("method", lang.say("Method", "方法"), [("POST", "POST"), ("GET", "GET")], &fields.method))
            }
            div.field {
                label for="params" { (lang.say("Its parameters, each as NAME=VALUE on a line", "参数，每行一个 NAME=VALUE")) }
                textarea id="params" name="params" rows="4" spellcheck="false" { (fields.params) }
            }
            p.hint { (lang.say(
                "It is signed as the key that is logged in, for this server; nothing is sent. The secret is not shown.",
                "以当前登录的密钥为本服务器签名，不会发送；不会显示密钥。",
            )) }
            button type="submit" { (lang.say("Show each step", "显示每一步")) }
        }
    }
}

/// What was found.
pub(crate) async fn explain(form: Form) -> Response {
    let seat = &form.seat;
    let pasted = form.field("pasted");
    let all = seat.must_be(Role::Look).is_ok();
    let whose = if all { Whose::Anybodys } else { Whose::Of(seat.key.clone()) };
    let answer = seat.desk.operations.explain(pasted.to_owned(), whose).await;
    let fields = Fields { pasted: cut(pasted), ..Fields::default() };
    if answer.status != 200 {
        return refused(seat, &fields, &answer.body);
    }
    page(seat, &fields, &explanation(seat.lang, &answer.body)).into_response()
}

/// How a request is signed.
pub(crate) async fn steps(form: Form) -> Response {
    let seat = &form.seat;
    let field = |name: &str| form.field(name).to_owned();
    let fields = Fields {
        pasted: String::new(),
        action: field("action"),
        params: field("params"),
        style: field("style"),
        method: field("method"),
    };
    let pairs = fields.params.lines().filter(|line| !line.trim().is_empty());
    let pairs = pairs.map(|line| line.split_once('=').unwrap_or((line, "")));
    let asked = ToSign {
        action: fields.action.clone(),
        params: pairs.map(|(name, value)| (name.trim().to_owned(), value.to_owned())).collect(),
        signature: if fields.style == "v1" { SignatureKind::V1 } else { SignatureKind::Acs3 },
        method: if fields.method == "GET" { SendBy::Get } else { SendBy::Post },
    };
    let answer = seat.desk.operations.sign(&seat.key, &asked);
    if answer.status != 200 {
        return refused(seat, &fields, &answer.body);
    }
    page(seat, &fields, &signed(seat.lang, &answer.body)).into_response()
}

/// What could not be read or signed.
fn refused(seat: &Seat, fields: &Fields, why: &Value) -> Response {
    let result = html! { div.problem role="alert" { p { (said(seat.lang, Some(why))) } } };
    (StatusCode::UNPROCESSABLE_ENTITY, page(seat, fields, &result)).into_response()
}

/// A text that has both languages.
fn said(lang: Lang, value: Option<&Value>) -> String {
    value.map(|value| text(value, lang.say("en", "zh"))).unwrap_or_default()
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

fn explanation(lang: Lang, found: &Value) -> Markup {
    let (kind, words) = match &*text(found, "verdict") {
        "right" => ("right", lang.say("The signature is right.", "签名正确。")),
        "wrong" => ("wrong", lang.say("The request is refused.", "请求会被拒绝。")),
        _ => ("open", lang.say("There is no signature to compare.", "没有可供比对的签名。")),
    };
    let (signature, key) = (text(found, "signature"), text(found, "keyId"));
    html! {
        section.result aria-label=(lang.say("What was found", "结果")) {
            p.verdict role="status" {
                span class=(kind) { (words) }
                @if !signature.is_empty() { " " code { (signature) } }
                @if !key.is_empty() { " " (lang.say("of key ", "密钥 ")) code { (key) } }
            }
            @for one in values(found, &["findings"]) { (finding(lang, one)) }
            @if !values(found, &["steps"]).is_empty() {
                details open[kind == "wrong"] {
                    summary { (lang.say("What this server has of the same request", "服务器对同一请求的计算过程")) }
                    (each_step(lang, found))
                }
            }
        }
    }
}

fn finding(lang: Lang, one: &Value) -> Markup {
    let (class, how) = match &*text(one, "certainty") {
        "proved" => (
            "problem",
            lang.say("proved: this mistake leads to exactly this signature", "已证实：该错误恰好得出此签名"),
        ),
        "seen" => ("problem", lang.say("the server refuses it", "服务器会拒绝")),
        _ => ("told", lang.say("to know", "提示")),
    };
    html! {
        article class=(class) {
            p { strong { (said(lang, one.get("what"))) } }
            p { (said(lang, one.get("right"))) }
            @if let Some(mark) = one.get("mark").filter(|mark| mark.is_object()) { (compared(lang, mark)) }
            p.hint { code { (text(one, "id")) } " · " (how) }
        }
    }
}

/// Both texts, with the first difference marked.
fn compared(lang: Lang, place: &Value) -> Markup {
    let caret = place.get("caret").and_then(Value::as_u64).and_then(|caret| usize::try_from(caret).ok()).unwrap_or(0);
    let line = |name: &str| {
        let whole = text(place, name);
        let (before, rest): (String, String) =
            (whole.chars().take(caret).collect(), whole.chars().skip(caret).collect());
        html! { code { (before) @if rest.is_empty() { mark { "␃" } } @else { mark { (rest) } } } }
    };
    let of = match &*text(place, "of") {
        "canonical request" => lang.say("canonical request", "规范请求"),
        _ => lang.say("string to sign", "待签名字符串"),
    };
    html! {
        p.hint {
            (lang.say("In the ", "位于")) (of) (lang.say(", line ", "第 ")) (text(place, "line")) (lang.say(", character ", " 行第 "))
            (text(place, "column")) (lang.say(":", " 个字符："))
        }
        dl.compared {
            dt { (lang.say("What was signed", "实际签名")) } dd { (line("yours")) }
            dt { (lang.say("What is right", "正确内容")) } dd { (line("ours")) }
        }
    }
}

fn signed(lang: Lang, found: &Value) -> Markup {
    html! {
        section.result aria-label=(lang.say("The signed request", "已签名的请求")) {
            p.verdict role="status" { span.right { (lang.say("It is signed. It can be sent once, for as long as its time is taken.", "已签名。可发送一次，过期失效。")) } }
            (each_step(lang, found))
            h3 { (lang.say("The command that sends it", "发送它的命令")) }
            pre tabindex="0" { code { (cut(&text(found, "curl"))) } }
        }
    }
}

fn each_step(lang: Lang, found: &Value) -> Markup {
    html! {
        ol.plain {
            @for step in values(found, &["steps"]) {
                li { h3 { (name(lang, &text(step, "name"))) } pre tabindex="0" { code { (cut(&text(step, "text"))) } } }
            }
        }
    }
}

/// What a step is called.
fn name(lang: Lang, name: &str) -> String {
    let chinese = match name {
        "canonical query" => "规范查询串",
        "canonical request" => "规范请求",
        "hash of the canonical request" => "规范请求的哈希",
        "string to sign" => "待签名字符串",
        "signature" => "签名",
        "authorization" => "Authorization 请求头",
        other => other,
    };
    lang.say(name, chinese).to_owned()
}
