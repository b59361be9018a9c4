//! Somebody who looks at the console, with a browser's manners and no browser: it keeps cookies, follows where it is sent, and
//! says with a form that the form is of the page it looks at.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::http::HttpAnswer;
use crate::live_tail::LiveTail;
use crate::wait::TIMEOUT;

/// Who looks.
#[derive(Debug, Clone)]
pub struct Visitor {
    address: SocketAddr,
    cookies: BTreeMap<String, String>,
    /// The headers that say where a form comes from.
    pub manners: Vec<(&'static str, String)>,
}

impl Visitor {
    /// Somebody who was never there.
    pub fn new(address: SocketAddr) -> Self {
        let manners = vec![("Origin", format!("http://{address}")), ("Sec-Fetch-Site", "same-origin".to_owned())];
        Self { address, cookies: BTreeMap::new(), manners }
    }

    /// Somebody who is logged in.
    ///
    /// # Panics
    /// If that is refused.
    pub fn logged_in(address: SocketAddr, id: &str, secret: &str) -> Self {
        let mut visitor = Self::new(address);
        let answer = visitor.log_in(id, secret);
        assert_eq!(answer.status, 303, "{answer:?}");
        visitor
    }

    /// Fills in the form of the login.
    pub fn log_in(&mut self, id: &str, secret: &str) -> HttpAnswer {
        self.send("POST", "/login", &[("id", id), ("secret", secret), ("next", "/products")])
    }

    /// Opens a page.
    pub fn page(&mut self, path: &str) -> HttpAnswer {
        self.send("GET", path, &[])
    }

    /// Sends a form of this page and waits for no answer.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn hangs_up(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) {
        let token = self.token(page);
        let mut fields = fields.to_vec();
        fields.push(("form_token", &token));
        let (head, body) = self.request("POST", path, &fields);
        let mut stream = self.connected();
        stream.write_all(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes()).expect("the head can be sent");
        // Only what was begun is done: the server asks for the body when it is at it.
        let mut told = [0; 25];
        stream.read_exact(&mut told).expect("it wants the body");
        assert!(told.starts_with(b"HTTP/1.1 100 Continue\r\n"), "{}", String::from_utf8_lossy(&told));
        stream.write_all(body.as_bytes()).expect("the body can be sent");
    }

    fn token(&mut self, page: &str) -> String {
        let shown = self.page(page).body;
        let token = shown.split_once("name=\"form_token\" value=\"").expect("a form").1;
        token.split('"').next().expect("its token").to_owned()
    }

    /// Sends a form of this page, with the token that stands there.
    ///
    /// # Panics
    /// If the page has no form.
    pub fn form(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> HttpAnswer {
        let token = self.token(page);
        let mut fields = fields.to_vec();
        fields.push(("form_token", &token));
        self.send("POST", path, &fields)
    }

    /// Follows the live rows of this path; `last` is the place of the last one it had. What it was answered, if that is no stream.
    ///
    /// # Errors
    /// The answer that is none.
    pub fn follow(&self, path: &str, last: Option<&str>) -> Result<LiveTail, HttpAnswer> {
        let last = last.map(|last| format!("Last-Event-ID: {last}\r\n")).unwrap_or_default();
        LiveTail::begin(self.address, &format!("{}Accept: text/event-stream\r\n{last}", self.head("GET", path)))
    }

    fn head(&self, method: &str, path: &str) -> String {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        if !cookies.is_empty() {
            head.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
        }
        head
    }

    /// Sends a request as it is.
    ///
    /// # Panics
    /// If nobody answers.
    pub fn send(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) -> HttpAnswer {
        let mut stream = self.sent(method, path, fields);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let answer = HttpAnswer::read(bytes);
        self.keep_cookies(&answer.head);
        answer
    }

    fn sent(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> TcpStream {
        let (head, body) = self.request(method, path, fields);
        let mut stream = self.connected();
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).expect("the request can be sent");
        stream
    }

    fn connected(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the console listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
        stream
    }

    /// The head, without its last line break, and the body.
    fn request(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> (String, String) {
        let mut head = self.head(method, path);
        if method != "POST" {
            return (head, String::new());
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = "Content-Type: application/x-www-form-urlencoded";
        head.push_str(&format!("{kind}\r\nContent-Length: {}\r\n", body.len()));
        self.manners.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        (head, body)
    }

    /// The value of the cookie of its login.
    pub fn session(&self) -> Option<&str> {
        self.cookies.get(&format!("thingcall_{}", self.address.port())).map(String::as_str)
    }

    /// Takes a cookie for its login.
    pub fn take_session(&mut self, value: &str) {
        self.cookies.insert(format!("thingcall_{}", self.address.port()), value.to_owned());
    }

    fn keep_cookies(&mut self, head: &str) {
        let set = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        for (name, value) in set.filter_map(|(_, cookie)| cookie.split(';').next()?.split_once('=')) {
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
