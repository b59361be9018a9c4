//! A module's file, edited: checked without being saved, held against what is in force, and saved when its writer has seen that.
//!
//! **Invariant:** what is saved is the text that was checked, and what it changes is what was shown.

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::features::DEFAULT;
use super::{differences, marks};
use crate::fields::yes;
use crate::form::Form;
use crate::json_text::over_lines;
use crate::lang::Lang;
use crate::layout;
use crate::operations::Draft;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{asked, number, part, text};

/// What a page says beside the text.
enum Said<'a> {
    Nothing,
    /// What is wrong with it, or what it changes; and why it was not saved, if it should have been.
    Checked(&'a Value, Option<&'a str>),
    Refused(&'a Refused),
}

/// The text of a module that is in force, to be edited.
pub(crate) async fn edit(seat: Seat, Path(key): Path<String>, RawQuery(query): RawQuery) -> Response {
    let place = asked(query.as_deref(), "module");
    let module = if place == DEFAULT { "" } else { &place };
    match in_force(&seat, &key, module).await {
        Ok(text) => page(&seat, &key, &Draft { module: module.to_owned(), text }, Said::Nothing),
        Err(why) => (StatusCode::NOT_FOUND, layout::refused_page(&seat, &key, &why)).into_response(),
    }
}

/// The text of a module; one that can be begun with, where there is none.
async fn in_force(seat: &Seat, key: &str, module: &str) -> Result<String, Refused> {
    let params = [("ProductKey", key), ("FunctionBlockId", module)];
    let params: Vec<_> = params.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    match seat.performed("GetThingModelTsl", &params).await {
        Ok(found) => Ok(over_lines(&found.get("Data").map(|data| text(data, "TslStr")).unwrap_or_default())),
        Err(why) if why.code == "iot.prod.NotSeniorProduct" => Ok(over_lines(BEGINNING)),
        Err(why) => Err(why),
    }
}

/// A first model.
const BEGINNING: &str = r#"{"profile":{"version":"1.0"},"services":[{"identifier":"SetLevel","name":"Set the level","callType":"sync","inputData":[{"identifier":"level","name":"Level","dataType":{"type":"int","specs":{"min":"0","max":"100"}}}],"outputData":[]}],"properties":[],"events":[]}"#;

fn page(seat: &Seat, key: &str, draft: &Draft, said: Said<'_>) -> Response {
    let lang = seat.lang;
    let path = format!("/products/{}", part(key));
    let (status, beside, save) = match said {
        Said::Nothing => (StatusCode::OK, html! {}, html! {}),
        Said::Refused(why) => (StatusCode::UNPROCESSABLE_ENTITY, layout::refused(lang, why), html! {}),
        Said::Checked(told, why) if told.get("problems").is_some() => {
            let beside = html! { @if let Some(why) = why { p { (why) } } (marks::problems(lang, &draft.text, told)) };
            (StatusCode::UNPROCESSABLE_ENTITY, beside, html! {})
        }
        Said::Checked(told, why) => {
            let status = if why.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            let beside = html! {
                @if let Some(why) = why { div.problem role="alert" { p { (why) } } }
                (changes(lang, draft, told))
            };
            (status, beside, saving(lang, &path, draft, told))
        }
    };
    let body = html! {
        p { a href=(path) { "← " code { (key) } } }
        p.hint { (lang.say(
            "The file of one module, as the platform exports it. A file with a functionBlockId is that of the custom module with this id, \
             which may be a new one. Nothing is saved before you have seen what it changes.",
            "单个模块的物模型文件（TSL）。含 functionBlockId 的文件属于该自定义模块，可以是新模块。确认变化之前不会保存。",
        )) }
        (beside)
        form.draft method="post" action=(format!("{path}/model/check")) {
            (layout::token(seat))
            input type="hidden" name="module" value=(draft.module);
            p.field.file hidden {
                label for="file" { (lang.say("Choose a file, or drop one onto the text", "选择文件，或拖放到文本框")) }
                input id="file" type="file" accept=".json,application/json" data-into="text";
                span role="status" data-said=(lang.say("In the text below is now ", "下方文本已替换为 ")) {}
            }
            p.field {
                label for="text" {
                    @if draft.module.is_empty() { (lang.say("Default module", "默认模块")) } @else { (lang.say("Module ", "模块 ")) (draft.module) }
                }
                textarea id="text" name="text" rows="28" spellcheck="false" autocomplete="off" wrap="off" { (draft.text) }
            }
            div.buttons { button.main type="submit" { (lang.say("Check, and show what it changes", "检查并查看变化")) } }
            (save)
        }
    };
    let title = lang.say("Edit the thing model", "编辑物模型");
    (status, layout::page(seat, title, &body)).into_response()
}

fn changes(lang: Lang, draft: &Draft, told: &Value) -> Markup {
    let module = text(told, "module");
    let is_new = told.get("isNew").and_then(Value::as_bool) == Some(true);
    html! {
        section.told role="status" {
            h2 { (lang.say("It is right", "检查通过")) }
            p {
                @if module.is_empty() { (lang.say("It is the file of the default module.", "该文件属于默认模块。")) }
                @else {
                    (lang.say("It is the file of the module ", "该文件属于模块 ")) code { (module) }
                    @if is_new { (lang.say(", which is new", "（新模块）")) } (lang.say(".", "。"))
                }
            }
            (marks::warnings(lang, &draft.text, told))
            (differences::shown(lang, told))
        }
    }
}

fn saving(lang: Lang, path: &str, draft: &Draft, told: &Value) -> Markup {
    let sure = match number(told, "breaking") {
        0 => lang.say("I have seen what it changes", "我已查看全部变化"),
        _ => lang.say(
            "I have seen what it changes, and that it breaks somebody",
            "我已查看全部变化，并了解其会影响现有的使用方",
        ),
    };
    html! {
        input type="hidden" name="base" value=(text(told, "base"));
        input type="hidden" name="checked" value=(digest(&draft.text));
        (yes("sure", sure))
        button type="submit" formaction=(format!("{path}/model/save")) { (lang.say("Save: it is in force at once", "保存并立即生效")) }
    }
}

/// Says what is wrong, or what it would change.
pub(crate) async fn check(Path(key): Path<String>, form: Form) -> Response {
    let draft = draft_of(&form);
    match checked(&form.seat, &key, &draft).await {
        Ok(told) => page(&form.seat, &key, &draft, Said::Checked(&told, None)),
        Err(why) => page(&form.seat, &key, &draft, Said::Refused(&why)),
    }
}

/// Saves it, if it is what was checked.
pub(crate) async fn save(Path(key): Path<String>, form: Form) -> Response {
    let (seat, draft) = (&form.seat, draft_of(&form));
    let told = match checked(seat, &key, &draft).await {
        Ok(told) => told,
        Err(why) => return page(seat, &key, &draft, Said::Refused(&why)),
    };
    if let Some(why) = unseen(&form, &draft, &told) {
        return page(seat, &key, &draft, Said::Checked(&told, Some(why)));
    }
    let (module, name) = (text(&told, "module"), text(&told, "moduleName"));
    let name = if name.is_empty() { &module } else { &name };
    let params = [
        ("ProductKey", key.as_str()),
        ("TslStr", &draft.text),
        ("FunctionBlockId", &module),
        ("FunctionBlockName", name),
    ];
    let params: Vec<_> = params.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    match seat.performed("ImportThingModelTsl", &params).await {
        Ok(_) => Redirect::to(&format!("/products/{}", part(&key))).into_response(),
        Err(why) => page(seat, &key, &draft, Said::Refused(&why)),
    }
}

/// Why its writer has not seen what would be saved.
fn unseen(form: &Form, draft: &Draft, told: &Value) -> Option<&'static str> {
    let lang = form.seat.lang;
    if told.get("problems").is_some() {
        return Some(lang.say("The text was changed after it was checked.", "检查之后文本已被修改。"));
    }
    if form.field("checked") != digest(&draft.text) {
        return Some(lang.say(
            "Not saved: the text was changed after it was checked. This is what it changes now.",
            "未保存：检查之后文本已被修改。以下是当前的变化。",
        ));
    }
    if form.field("base") != text(told, "base") {
        return Some(lang.say(
            "Not saved: somebody set another model meanwhile. This is what yours changes now.",
            "未保存：物模型已被他人修改。以下是当前的变化。",
        ));
    }
    (form.field("sure") != "yes")
        .then(|| lang.say("Not saved: tick the box above the button if it shall be so.", "未保存：请先勾选确认框。"))
}

async fn checked(seat: &Seat, key: &str, draft: &Draft) -> Result<Value, Refused> {
    Refused::unless_done(seat.desk.operations.check_model(seat.key.clone(), key, draft).await)
}

/// What was typed; browsers send line ends of their own.
fn draft_of(form: &Form) -> Draft {
    Draft { module: form.field("module").to_owned(), text: form.field("text").replace("\r\n", "\n") }
}

fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}
