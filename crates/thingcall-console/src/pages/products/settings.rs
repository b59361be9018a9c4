//! How the calls of a product are treated, to be looked at and changed.

use maud::{Markup, html};
use serde_json::Value;

use crate::fields::{Option3, choice, typed, yes};
use crate::form::Form;
use crate::layout;
use crate::seat::Seat;
use crate::shown::{list, part, text};

/// A setting: its name, as the operator's listener has it; what it is called in both languages; its values, the one that it has
/// by itself first.
struct Setting {
    name: &'static str,
    /// Its member of what is told.
    told: &'static str,
    label: (&'static str, &'static str),
    values: &'static [Option3<'static>],
}

const SETTINGS: [Setting; 8] = [
    Setting {
        name: "validation",
        told: "validation",
        label: ("Are calls checked against the model", "是否按物模型校验"),
        values: &[("model", "yes", "校验"), ("free", "no, and every call is asynchronous", "免校验，全部异步")],
    },
    Setting {
        name: "args_check",
        told: "argsCheck",
        label: ("How exact arguments must be", "参数校验级别"),
        values: &[
            ("weak", "weak: inputs may be left out, small slips are mended", "弱校验：可省略参数，轻微错误自动修正"),
            ("strict", "strict: every input, exactly as the model has it", "强校验：参数必须完整且严格符合"),
        ],
    },
    Setting {
        name: "reply_check",
        told: "replyCheck",
        label: ("A reply that does not fit the model", "设备应答不符合物模型时"),
        values: &[
            ("warn", "is counted and logged; the caller gets it", "计数并记录日志，照常返回"),
            ("off", "is not looked at", "不检查"),
            ("reject", "fails its call", "调用失败"),
        ],
    },
    Setting {
        name: "data_format",
        told: "dataFormat",
        label: ("What its devices speak", "数据格式"),
        values: &[
            ("alink", "Alink JSON", "Alink JSON"),
            ("custom", "bytes of their own, which a plugin translates", "透传/自定义（由插件编解码）"),
        ],
    },
    Setting {
        name: "raw_answers",
        told: "rawAnswers",
        label: ("Answers in bytes of its own find their calls", "自定义格式应答的匹配方式"),
        values: &[("by_id", "by an id in them", "按报文中的 id"), ("in_order", "by their order", "按顺序")],
    },
    Setting {
        name: "sync_topic",
        told: "syncTopic",
        label: ("Where synchronous calls are taken", "同步调用下发的 Topic"),
        values: &[
            ("auto", "what each device is seen to take", "自动识别"),
            ("ext", "/ext/rrpc/...", "/ext/rrpc/..."),
            ("rrpc", "/sys/.../rrpc/request/...", "/sys/.../rrpc/request/..."),
            ("service", "/sys/.../thing/service/...", "/sys/.../thing/service/..."),
        ],
    },
    Setting {
        name: "pacing",
        told: "pacing",
        label: ("When a device's next call leaves", "设备的下一个调用何时下发"),
        values: &[
            ("all_at_once", "at once", "立即"),
            ("after_ack", "after the acknowledgement of the one before", "上一个被确认（PUBACK）后"),
            ("after_answer", "after the answer to the one before", "上一个应答后"),
        ],
    },
    Setting {
        name: "registration",
        told: "registration",
        label: ("Devices may come for their secrets", "设备动态注册"),
        values: &[
            ("off", "no", "关闭"),
            ("registered", "those that are registered and never connected", "仅已注册且未激活的设备"),
            ("any", "any: others are registered when they come", "任意设备（免预注册）"),
        ],
    },
];

/// The settings, in a form; a key that may not look is told so.
pub(super) async fn section(seat: &Seat, key: &str, form: Option<&Form>) -> Markup {
    let lang = seat.lang;
    let told = seat.ask(&format!("/products/{}/settings", part(key))).await;
    html! {
        section {
            h2 { (lang.say("Settings", "设置")) }
            @match &told {
                Err(why) => (layout::refused(lang, why)),
                Ok(told) => (form_of(seat, key, told, form)),
            }
        }
    }
}

fn form_of(seat: &Seat, key: &str, told: &Value, form: Option<&Form>) -> Markup {
    let lang = seat.lang;
    let form = form.filter(|form| form.has("validation"));
    let settings = told.get("settings").unwrap_or(&Value::Null);
    let now = |setting: &Setting| {
        let set = text(settings, setting.told);
        let by_itself = setting.values.first().map_or("", |(value, ..)| *value);
        if set.is_empty() { by_itself.to_owned() } else { set }
    };
    let transport =
        Some(text(settings, "transport")).filter(|name| !name.is_empty()).unwrap_or_else(|| "auto".to_owned());
    let configured = list(told, &["transports"]).iter().filter_map(Value::as_str);
    let mut transports = vec![("auto", "the one that each device came from", "设备自身使用的通道")];
    transports.extend(configured.map(|name| (name, name, name)));
    if !transports.iter().any(|(name, ..)| *name == transport) {
        transports.push((&transport, &transport, &transport));
    }
    html! {
        form method="post" action=(format!("/products/{}/settings", part(key))) {
            (layout::token(seat))
            div.fields {
                @for setting in &SETTINGS {
                    @let (english, chinese) = setting.label;
                    (choice(lang, setting.name, lang.say(english, chinese), setting.values, typed(form, setting.name, &now(setting))))
                    (before(setting.name, typed(form, &was(setting.name), &now(setting))))
                }
                (choice(lang, "transport", lang.say("Served by the transport", "通信通道"), &transports, typed(form, "transport", &transport)))
                (before("transport", typed(form, &was("transport"), &transport)))
            }
            (yes("new_secret", lang.say("Give the product a new secret: devices with the old one are told theirs no more", "更换 ProductSecret：旧密钥将失效")))
            button type="submit" { (lang.say("Save settings", "保存设置")) }
        }
    }
}

/// The hidden field with what a setting was when the form was made.
fn was(name: &str) -> String {
    format!("was_{name}")
}

fn before(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(was(name)) value=(value); }
}

/// What a form changes: the names and values for the operator's listener. What somebody else changed meanwhile stays, unless it
/// was changed here.
pub(super) fn changed(form: &Form) -> Vec<(&'static str, &str)> {
    let names = SETTINGS.iter().map(|setting| setting.name).chain(["transport"]);
    let changed = names.filter(|name| form.field(name) != form.field(&was(name)));
    let secret = (form.field("new_secret") == "yes").then_some(("new_secret", "true"));
    changed.map(|name| (name, form.field(name))).chain(secret).collect()
}
