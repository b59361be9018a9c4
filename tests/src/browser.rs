//! A real browser, Debian's Chromium, that looks at the console as people do: what is on a page is found by its label, its name or
//! its text.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::json_lines::Script;

/// A browser with one page open.
#[derive(Debug)]
pub struct Browser {
    script: Script,
}

/// What a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its path and query.
    pub url: String,
    /// Its title.
    pub title: String,
    /// All text that is visible.
    pub text: String,
}

impl Browser {
    /// A browser whose user never was at this console, and reads this language.
    pub fn open(console: SocketAddr, locale: &str) -> Self {
        let options = json!({ "url": format!("http://{console}"), "locale": locale, "browser": "/usr/bin/chromium" });
        Self { script: Script::start_node("browser", "browser.js", &options) }
    }

    /// The same, logged in.
    pub fn logged_in(console: SocketAddr, locale: &str, (id, secret): (&str, &str)) -> Self {
        let browser = Self::open(console, locale);
        browser.go("/login");
        browser.fill("AccessKey ID", id);
        browser.fill("AccessKey Secret", secret);
        browser.act(&json!({ "act": "press", "key": "Enter" }));
        browser.wait(id);
        browser
    }

    /// Opens an address of the console and says with which status it answered.
    pub fn go(&self, to: &str) -> u64 {
        self.act(&json!({ "act": "go", "to": to })).get("status").and_then(Value::as_u64).unwrap_or(0)
    }

    /// Writes into the field with this label.
    pub fn fill(&self, label: &str, value: &str) {
        self.act(&json!({ "act": "fill", "label": label, "value": value }));
    }

    /// Chooses from the list with this label.
    pub fn choose(&self, label: &str, value: &str) {
        self.act(&json!({ "act": "choose", "label": label, "value": value }));
    }

    /// Ticks the box with this label.
    pub fn tick(&self, label: &str) {
        self.act(&json!({ "act": "check", "label": label }));
    }

    /// Presses a key, by its name.
    pub fn press(&self, key: &str) {
        self.act(&json!({ "act": "press", "key": key }));
    }

    /// Presses the button with this name.
    pub fn button(&self, name: &str) {
        self.act(&json!({ "act": "button", "name": name }));
    }

    /// Follows the link with this name.
    pub fn link(&self, name: &str) {
        self.act(&json!({ "act": "link", "name": name }));
    }

    /// Opens what is folded away below this text.
    pub fn unfold(&self, summary: &str) {
        self.act(&json!({ "act": "open", "summary": summary }));
    }

    /// Gives a file with this text to the field with this label.
    pub fn give_file(&self, label: &str, name: &str, text: &str) {
        self.act(&json!({ "act": "file", "label": label, "name": name, "text": text }));
    }

    /// Says yes to whatever the page asks.
    pub fn says_yes(&self) {
        self.act(&json!({ "act": "accept_dialogs" }));
    }

    /// Waits until the page shows this text.
    pub fn wait(&self, text: &str) {
        self.act(&json!({ "act": "wait", "text": text }));
    }

    /// What it shows.
    pub fn shown(&self) -> Shown {
        let shown = self.act(&json!({ "act": "shown" }));
        let member = |name: &str| shown.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Shown { url: member("url"), title: member("title"), text: member("text") }
    }

    /// The name of what the keyboard acts on.
    pub fn focused(&self) -> String {
        let focused = self.act(&json!({ "act": "focused" }));
        focused.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Makes the window as wide as this.
    pub fn width(&self, pixels: u32) {
        self.act(&json!({ "act": "width", "pixels": pixels }));
    }

    /// Asks for dark colours from now on.
    pub fn in_the_dark(&self) {
        self.act(&json!({ "act": "scheme", "dark": true }));
    }

    /// By how many pixels the page is wider than the window.
    pub fn overflow(&self) -> i64 {
        self.act(&json!({ "act": "overflow" })).as_i64().unwrap_or(i64::MAX)
    }

    /// When the page first showed anything, in milliseconds since it was asked for.
    pub fn first_paint_ms(&self) -> f64 {
        self.act(&json!({ "act": "paint" })).as_f64().unwrap_or(-1.0)
    }

    /// Takes a picture of the whole page.
    pub fn shot(&self, file: &Path) {
        self.act(&json!({ "act": "shot", "file": file }));
    }

    /// What axe-core finds serious or critical on the page.
    pub fn accessibility(&self) -> Vec<String> {
        texts(&self.act(&json!({ "act": "accessibility" })))
    }

    /// What the browser says where the page would load a script from this address.
    pub fn tries_to_load(&self, url: &str) -> Vec<String> {
        self.act(&json!({ "act": "load", "url": url }));
        self.problems()
    }

    /// Errors of pages and requests to other hosts, since they were last asked for.
    pub fn problems(&self) -> Vec<String> {
        texts(&self.act(&json!({ "act": "problems" })))
    }

    /// # Panics
    /// If it cannot be done.
    fn act(&self, request: &Value) -> Value {
        self.script.send(request);
        let done = self.script.event("done");
        if let Some(error) = done.get("error") {
            panic!("{request}: {}", error.as_str().unwrap_or_default());
        }
        done.get("result").cloned().unwrap_or_default()
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
