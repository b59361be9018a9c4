//! A device's tags.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::fields::line;
use crate::form::Form;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{table, text};

/// The longest name of a tag, and the longest text.
const NAME_CHARACTERS_MAX: usize = 64;
const VALUE_CHARACTERS_MAX: usize = 1024;

/// The part of its page.
pub(super) async fn section(seat: &Seat, path: &str, of: &[(&str, &str)]) -> Markup {
    let lang = seat.lang;
    let tags = match seat.performed("QueryDeviceProp", of).await {
        Ok(found) => serde_json::from_str::<Map<String, Value>>(&text(&found, "Props")).unwrap_or_default(),
        Err(why) => return layout::refused(lang, &why),
    };
    let rows = tags.iter().map(|(name, value)| {
        let label = format!("{} {name}", lang.say("Remove", "删除"));
        vec![
            html! { code { (name) } },
            html! { (value.as_str().unwrap_or_default()) },
            html! {
                form method="post" action=(format!("{path}/untag")) {
                    (layout::token(seat))
                    input type="hidden" name="tag" value=(name);
                    button type="submit" aria-label=(label) { (lang.say("Remove", "删除")) }
                }
            },
        ]
    });
    let heads = [lang.say("Tag", "标签"), lang.say("Value", "值"), lang.say("Change", "操作")];
    html! {
        section {
            h2 { (lang.say("Tags", "标签")) }
            (table(lang.say("Its tags", "设备标签"), &heads, &rows.collect::<Vec<_>>(), lang.say("It has no tag.", "没有标签。")))
            form method="post" action=(format!("{path}/tag")) {
                (layout::token(seat))
                div.fields {
                    (line("tag", lang.say("Tag", "标签"), "", NAME_CHARACTERS_MAX))
                    (line("value", lang.say("Value", "值"), "", VALUE_CHARACTERS_MAX))
                }
                button type="submit" { (lang.say("Set", "设置")) }
            }
        }
    }
}

/// Sets one.
pub(super) async fn add(form: &Form, of: &[(&str, &str)]) -> Result<(), Refused> {
    let props = json!({ (form.field("tag")): form.field("value") }).to_string();
    let params: Vec<_> = of.iter().copied().chain([("Props", props.as_str())]).collect();
    form.seat.performed("SaveDeviceProp", &params).await.map(drop)
}

/// Removes one.
pub(super) async fn remove(form: &Form, of: &[(&str, &str)]) -> Result<(), Refused> {
    let params: Vec<_> = of.iter().copied().chain([("PropKey", form.field("tag"))]).collect();
    form.seat.performed("DeleteDeviceProp", &params).await.map(drop)
}
