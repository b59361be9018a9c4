//! Access keys: who may call, and what; a new key, and what is changed of one.
//!
//! **Invariant:** a secret is on one page alone, the answer to the form that made its key.

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use thingcall_core::{AccessKey, AllowList, Rule, Secret, UnixMillis};

use crate::form::Form;
use crate::key_change::KeyChange;
use crate::lang::Lang;
use crate::layout;
use crate::refused::Refused;
use crate::role::Role;
use crate::seat::Seat;
use crate::shown::{address, asked, at, facts, next, part, table};

/// How many keys a page has.
const PAGE: usize = 100;
/// What can be done to a key by a button: as paths name it, and in both languages.
const CHANGES: [(&str, &str, &str); 2] = [("enable", "Enable", "启用"), ("disable", "Disable", "停用")];
/// An example of rules.
const EXAMPLE: &str = "actions=Query*,Get*,ConsoleLook\nactions=InvokeThingService;products=a1B*;devices=pk/lamp*";

/// The list.
pub(crate) async fn list(seat: Seat, RawQuery(query): RawQuery) -> Markup {
    let (id, after) = (asked(query.as_deref(), "id"), asked(query.as_deref(), "after"));
    listed(&seat, (&id, &after), None)
}

fn listed(seat: &Seat, (id, after): (&str, &str), problem: Option<&Refused>) -> Markup {
    let lang = seat.lang;
    let title = lang.say("Access keys", "访问密钥");
    if let Err(why) = seat.must_be(Role::Administer) {
        return layout::refused_page(seat, title, problem.unwrap_or(&why));
    }
    let all = seat.desk.operations.keys();
    let mut found = all.iter().filter(|key| key.id.contains(id) && key.id.as_str() > after);
    let page: Vec<_> = found.by_ref().take(PAGE).collect();
    let last = page.last().filter(|_| found.next().is_some());
    let behind = last.map(|last| address("/keys", &[("id", id), ("after", &last.id)]));
    let rows: Vec<_> = page.iter().map(|key| row(lang, key)).collect();
    let heads = [
        lang.say("Key", "密钥"),
        lang.say("Account", "账号"),
        lang.say("State", "状态"),
        lang.say("Ends", "到期"),
        lang.say("May do", "权限"),
    ];
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(lang, problem)) }
        form.inline method="get" action="/keys" role="search" {
            label for="id" { (lang.say("Part of the id", "ID 的一部分")) }
            input id="id" name="id" type="text" value=(id);
            button type="submit" { (lang.say("Show", "查询")) }
        }
        (table(title, &heads, &rows, lang.say("No such key.", "没有匹配的密钥。")))
        (next(lang, behind))
        (new_key(seat))
    };
    layout::page(seat, title, &body)
}

fn row(lang: Lang, key: &AccessKey) -> Vec<Markup> {
    let ends = key.temporary.as_ref().map(|temporary| at(temporary.ends_at));
    vec![
        html! { a href=(format!("/keys/{}", part(&key.id))) { code { (key.id) } } },
        html! { (key.account) },
        state(lang, key),
        html! { @if let Some(ends) = ends { (ends) } },
        html! { (may(lang, key)) },
    ]
}

fn state(lang: Lang, key: &AccessKey) -> Markup {
    let (kind, word) = if key.has_ended(UnixMillis::now()) {
        ("open", lang.say("ended", "已到期"))
    } else if key.enabled {
        ("good", lang.say("enabled", "已启用"))
    } else {
        ("bad", lang.say("disabled", "已停用"))
    };
    html! { span.outcome.(kind) { (word) } }
}

fn may(lang: Lang, key: &AccessKey) -> String {
    match (key.allow.as_ref().map(|allow| allow.rules()), lang) {
        (None, _) => lang.say("everything", "全部").to_owned(),
        (Some([]), _) => lang.say("nothing", "无").to_owned(),
        (Some([rule]), _) => rule.to_string(),
        (Some(rules), Lang::En) => format!("{} rules", rules.len()),
        (Some(rules), Lang::Zh) => format!("{} 条规则", rules.len()),
    }
}

fn new_key(seat: &Seat) -> Markup {
    let lang = seat.lang;
    html! {
        section {
            h2 { (lang.say("New key", "创建密钥")) }
            form.stacked method="post" action="/keys" {
                (layout::token(seat))
                label for="new-id" { (lang.say("Id; a new one, if it is empty", "ID；留空则自动生成")) }
                input id="new-id" name="id" type="text" maxlength="128" autocomplete="off";
                label for="account" { (lang.say("Account; the keys of one share its quota", "账号；同一账号的密钥共享配额")) }
                input id="account" name="account" type="text" value="default" required maxlength="64";
                (rules_fields(lang, "new-rules", ""))
                button type="submit" { (lang.say("Create", "创建")) }
            }
        }
    }
}

fn rules_fields(lang: Lang, id: &str, rules: &str) -> Markup {
    html! {
        label for=(id) { (lang.say("What it may do, one rule a line", "权限，每行一条规则")) }
        textarea id=(id) name="rules" rows="4" cols="60" placeholder=(EXAMPLE) spellcheck="false" { (rules) }
        label.check { input type="checkbox" name="everything" value="yes"; " " (lang.say("It may do everything", "允许全部操作")) }
    }
}

/// The rules of a form: everything, or a rule of each line.
fn rules_of(form: &Form) -> Result<Option<AllowList>, Refused> {
    let wrong = |text: String| Refused { code: "bad_rule".to_owned(), text };
    let lines: Vec<_> = form.field("rules").lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match (form.field("everything") == "yes", lines.is_empty()) {
        (true, true) => return Ok(None),
        (true, false) => {
            let text = form.seat.lang.say(
                "It has rules and may do everything, too; right is one of both.",
                "既填写了规则又勾选了全部操作，请二选一。",
            );
            return Err(wrong(text.to_owned()));
        }
        (false, _) => {}
    }
    let mut rules = Vec::new();
    for (line, text) in (1..).zip(lines) {
        match text.parse::<Rule>() {
            Ok(rule) => rules.push(rule),
            Err(why) => return Err(wrong(format!("{} {line}: {why}", form.seat.lang.say("line", "第几行")))),
        }
    }
    AllowList::new(rules).map(Some).map_err(|why| wrong(why.to_string()))
}

/// Makes a key, and shows its secret, once.
pub(crate) async fn create(form: Form) -> Response {
    let made = async {
        let allow = rules_of(&form)?;
        let id = Some(form.field("id").to_owned()).filter(|id| !id.is_empty());
        let account = match form.field("account") {
            "" => "default".to_owned(),
            account => account.to_owned(),
        };
        form.seat.change_key(KeyChange::Create { id, account, allow }).await
    };
    match made.await {
        Ok(made) => shown_once(&form.seat, made.as_ref()).into_response(),
        Err(why) => (StatusCode::UNPROCESSABLE_ENTITY, listed(&form.seat, ("", ""), Some(&why))).into_response(),
    }
}

fn shown_once(seat: &Seat, made: Option<&AccessKey>) -> Markup {
    let lang = seat.lang;
    let title = lang.say("A new access key", "新的访问密钥");
    let Some(key) = made else { return layout::page(seat, title, &html! {}) };
    let token = key.security_token.as_ref().map(Secret::expose);
    let body = html! {
        div.problem role="alert" {
            (lang.say("Copy the secret now: it is not shown again.", "请立即复制密钥：之后不再显示。"))
        }
        (facts(&[
            ("AccessKey ID", html! { code { (key.id) } }),
            ("AccessKey Secret", html! { code { (key.secret.expose()) } }),
            ("SecurityToken", html! { @if let Some(token) = token { code { (token) } } @else { "-" } }),
            (lang.say("Ends", "到期"), html! { @if let Some(temporary) = &key.temporary { (at(temporary.ends_at)) } @else { "-" } }),
        ]))
        p { a href=(format!("/keys/{}", part(&key.id))) { (lang.say("To the key", "查看该密钥")) } }
    };
    layout::page(seat, title, &body)
}

/// One key.
pub(crate) async fn show(seat: Seat, Path(id): Path<String>) -> Response {
    one(&seat, &id, None).into_response()
}

fn one(seat: &Seat, id: &str, problem: Option<&Refused>) -> (StatusCode, Markup) {
    let lang = seat.lang;
    let title = format!("{} {id}", lang.say("Access key", "访问密钥"));
    if let Err(why) = seat.must_be(Role::Administer) {
        return (StatusCode::FORBIDDEN, layout::refused_page(seat, &title, problem.unwrap_or(&why)));
    }
    let Some(key) = seat.desk.operations.key(id) else {
        let text = lang.say("There is no such access key.", "没有该访问密钥。").to_owned();
        let why = Refused { code: "no_key".to_owned(), text };
        return (StatusCode::NOT_FOUND, layout::refused_page(seat, &title, problem.unwrap_or(&why)));
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let body = html! {
        @if let Some(problem) = problem { (layout::refused(lang, problem)) }
        (what_it_is(seat, &key))
        div.buttons {
            @for (what, english, chinese) in CHANGES.iter().filter(|(what, ..)| (*what == "enable") != key.enabled) {
                form method="post" action=(format!("/keys/{}/{what}", part(id))) {
                    (layout::token(seat))
                    button type="submit" { (lang.say(english, chinese)) }
                }
            }
        }
        (rules_form(seat, &key))
        @if key.temporary.is_none() { (temporary_form(seat, id)) }
        (removing(seat, id))
    };
    (status, layout::page(seat, &title, &body))
}

fn what_it_is(seat: &Seat, key: &AccessKey) -> Markup {
    let lang = seat.lang;
    let of = key.temporary.as_ref().map(|temporary| temporary.of.as_str());
    let ends = key.temporary.as_ref().map(|temporary| at(temporary.ends_at));
    html! {
        (facts(&[
            (lang.say("State", "状态"), state(lang, key)),
            (lang.say("Account", "账号"), html! { (key.account) }),
            (lang.say("Made of", "来源密钥"), html! { @if let Some(of) = of { a href=(format!("/keys/{}", part(of))) { code { (of) } } } @else { "-" } }),
            (lang.say("Ends", "到期"), html! { @if let Some(ends) = ends { (ends) } @else { "-" } }),
            (lang.say("May do", "权限"), html! { (may(lang, key)) }),
        ]))
        p {
            a href=(address("/calls", &[("key", &key.id)])) { (lang.say("Its calls", "其调用")) } " · "
            a href=(address("/audit", &[("key", &key.id)])) { (lang.say("What it changed", "其操作记录")) }
        }
    }
}

fn rules_form(seat: &Seat, key: &AccessKey) -> Markup {
    let lang = seat.lang;
    let rules: Vec<_> = key.allow.iter().flat_map(|allow| allow.rules()).collect();
    let text = rules.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let names = seat.desk.operations.rule_names();
    let useless: Vec<_> = rules.iter().flat_map(|rule| rule.useless_actions(|| names.iter().copied())).collect();
    html! {
        section {
            h2 { (lang.say("What it may do", "权限")) }
            @for pattern in useless {
                p.hint { (lang.say("No action here has this name, so it allows nothing: ", "没有该名称的操作，此项不起作用：")) code { (pattern) } }
            }
            form.stacked method="post" action=(format!("/keys/{}/rules", part(&key.id))) {
                (layout::token(seat))
                (rules_fields(lang, "rules", &text))
                button type="submit" { (lang.say("Set in place of what it may do now", "替换当前权限")) }
            }
        }
    }
}

fn temporary_form(seat: &Seat, id: &str) -> Markup {
    let lang = seat.lang;
    html! {
        section {
            h2 { (lang.say("A temporary key of this one", "由此密钥创建临时密钥")) }
            form.stacked method="post" action=(format!("/keys/{}/temporary", part(id))) {
                (layout::token(seat))
                label for="lasts" { (lang.say("How long it lasts, such as 15m or 12h; 7 days at most", "有效期，如 15m 或 12h；最长 7 天")) }
                input id="lasts" name="lasts" type="text" value="1h" required;
                (rules_fields(lang, "temporary-rules", ""))
                button type="submit" { (lang.say("Create", "创建")) }
            }
        }
    }
}

fn removing(seat: &Seat, id: &str) -> Markup {
    let lang = seat.lang;
    html! {
        section {
            h2 { (lang.say("Remove", "删除")) }
            form.inline method="post" action=(format!("/keys/{}/remove", part(id))) {
                (layout::token(seat))
                label.check { input type="checkbox" name="sure" value="yes" required; " " (lang.say("Forget this key and those that were made of it", "删除此密钥及由其创建的临时密钥")) }
                button type="submit" { (lang.say("Remove", "删除")) }
            }
        }
    }
}

/// Has something done to a key.
pub(crate) async fn change(Path((id, what)): Path<(String, String)>, form: Form) -> Response {
    let done = match change_of(&id, &what, &form) {
        Ok(change) => form.seat.change_key(change).await,
        Err(why) => Err(why),
    };
    match done {
        Ok(made @ Some(_)) => shown_once(&form.seat, made.as_ref()).into_response(),
        Ok(None) if what == "remove" => Redirect::to("/keys").into_response(),
        Ok(None) => Redirect::to(&format!("/keys/{}", part(&id))).into_response(),
        Err(why) => one(&form.seat, &id, Some(&why)).into_response(),
    }
}

fn change_of(id: &str, what: &str, form: &Form) -> Result<KeyChange, Refused> {
    let id = id.to_owned();
    match what {
        "enable" => Ok(KeyChange::Enable(id)),
        "disable" => Ok(KeyChange::Disable(id)),
        "rules" => Ok(KeyChange::Rules { id, allow: rules_of(form)? }),
        "remove" if form.field("sure") == "yes" => Ok(KeyChange::Remove(id)),
        "temporary" => {
            let wrong = |_| Refused {
                code: "lifetime".to_owned(),
                text: format!("{:?} is no time; right is such as 15m or 12h", form.field("lasts")),
            };
            let lasts = humantime::parse_duration(form.field("lasts")).map_err(wrong)?;
            Ok(KeyChange::CreateTemporary { of: id, lasts, allow: rules_of(form)? })
        }
        other => {
            Err(Refused { code: "404".to_owned(), text: format!("{other:?} is nothing that is done to a key so") })
        }
    }
}
