//! What all pages have around them.

use maud::{DOCTYPE, Markup, html};

use crate::assets;
use crate::lang::Lang;
use crate::refused::Refused;
use crate::seat::{Seat, TOKEN};

/// The parts of the console, as its menu shows them: path, and name in both languages.
const MENU: [(&str, &str, &str); 11] = [
    ("/", "Overview", "概览"),
    ("/products", "Products", "产品"),
    ("/devices", "Devices", "设备"),
    ("/calls", "Calls", "调用"),
    ("/explorer", "API explorer", "接口调试"),
    ("/plugins", "Plugins", "插件"),
    ("/results", "Results", "结果"),
    ("/keys", "Keys", "密钥"),
    ("/settings", "Settings", "设置"),
    ("/signature", "Signing", "签名"),
    ("/audit", "Audit log", "审计日志"),
];

/// A page of somebody who is logged in.
pub(crate) fn page(seat: &Seat, title: &str, body: &Markup) -> Markup {
    let lang = seat.lang;
    document(
        lang,
        title,
        &html! {
            a.skip href="#main" { (lang.say("Skip to the content", "跳到正文")) }
            header.top {
                a.brand href="/" { "thingcall" }
                nav aria-label=(lang.say("Parts of the console", "控制台导航")) {
                    ul {
                        @for (path, english, chinese) in MENU {
                            li { a href=(path) aria-current=[is_in(&seat.path, path).then_some("page")] { (lang.say(english, chinese)) } }
                        }
                    }
                }
                div.who {
                    (language(seat))
                    form method="post" action="/logout" {
                        (token(seat))
                        span.id { (seat.key.id) }
                        button type="submit" { (lang.say("Log out", "退出")) }
                    }
                }
            }
            main id="main" { h1 { (title) } (body) }
        },
    )
}

/// A page of nobody, with nothing but a text.
pub(crate) fn plain(lang: Lang, text: &str) -> Markup {
    document(
        lang,
        "thingcall",
        &html! { main id="main" { h1 { "thingcall" } p { (text) } p { a href="/" { (lang.say("To the overview", "返回概览")) } } } },
    )
}

/// A whole document.
pub(crate) fn document(lang: Lang, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · thingcall" }
                link rel="icon" type="image/svg+xml" href=(assets::address("icon.svg"));
                link rel="stylesheet" href=(assets::address("console.css"));
                script src=(assets::address("console.js")) defer {}
            }
            body { (body) }
        }
    }
}

/// The hidden field that every form of a login carries.
pub(crate) fn token(seat: &Seat) -> Markup {
    html! { input type="hidden" name=(TOKEN) value=(seat.form_token()); }
}

/// What was refused, in a box.
pub(crate) fn refused(lang: Lang, why: &Refused) -> Markup {
    html! {
        div.problem role="alert" {
            strong { (lang.say("Not done", "未完成")) " · " code { (why.code) } }
            p { (why.text) }
        }
    }
}

/// A page that shows nothing but why.
pub(crate) fn refused_page(seat: &Seat, title: &str, why: &Refused) -> Markup {
    page(seat, title, &refused(seat.lang, why))
}

fn language(seat: &Seat) -> Markup {
    let (tag, name) = match seat.lang {
        Lang::En => ("zh-CN", "中文"),
        Lang::Zh => ("en", "English"),
    };
    html! {
        form method="post" action="/language" {
            (token(seat))
            input type="hidden" name="to" value=(tag);
            input type="hidden" name="back" value=(seat.path);
            button.link type="submit" lang=(tag) { (name) }
        }
    }
}

fn is_in(path: &str, part: &str) -> bool {
    path == part || part != "/" && path.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'))
}
