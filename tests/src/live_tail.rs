//! A page of the console that is live, as its script reads it: server-sent events over a socket.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::http::HttpAnswer;
use crate::wait::TIMEOUT;

/// One that is followed. Dropping it goes away.
#[derive(Debug)]
pub struct LiveTail(BufReader<TcpStream>);

/// An event that came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveRow {
    /// `id`
    pub id: String,
    /// `event`
    pub name: String,
    /// `data`
    pub data: Value,
}

impl LiveRow {
    /// The texts of its fields.
    pub fn texts(&self) -> Vec<&str> {
        let cells = self.data.as_array().map(Vec::as_slice).unwrap_or_default();
        cells.iter().filter_map(|cell| cell.get("text")?.as_str()).collect()
    }

    /// Whether one of its fields is this text.
    pub fn has(&self, text: &str) -> bool {
        self.texts().contains(&text)
    }
}

impl LiveTail {
    pub(crate) fn begin(address: SocketAddr, head: &str) -> Result<Self, HttpAnswer> {
        let mut stream = TcpStream::connect(address).expect("the console listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
        stream.write_all(format!("{head}\r\n").as_bytes()).expect("the request can be sent");
        let mut reader = BufReader::new(stream);
        let mut read = String::new();
        while !read.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut read).expect("an answer"), 0, "it ends in its head: {read:?}");
        }
        if read.starts_with("HTTP/1.1 200") && read.to_ascii_lowercase().contains("content-type: text/event-stream") {
            return Ok(Self(reader));
        }
        let mut bytes = read.into_bytes();
        reader.read_to_end(&mut bytes).expect("an answer");
        Err(HttpAnswer::read(bytes))
    }

    /// The next event; `None` if it ended.
    ///
    /// # Panics
    /// If nothing comes in time.
    pub fn next_event(&mut self) -> Option<LiveRow> {
        let mut row = LiveRow::default();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).expect("an event in time") == 0 {
                return None;
            }
            // What else stands on a line is a chunk's size, a comment, or nothing.
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut row.id),
                Some(("event", name)) => name.clone_into(&mut row.name),
                Some(("data", data)) => {
                    row.data = serde_json::from_str(data).expect("JSON");
                    return Some(row);
                }
                Some(_) | None => {}
            }
        }
    }

    /// The next row with this text among its fields.
    ///
    /// # Panics
    /// If it ends, or nothing comes in time.
    pub fn row_with(&mut self, text: &str) -> LiveRow {
        loop {
            let row = self.next_event().unwrap_or_else(|| panic!("a row with {text}"));
            if row.has(text) {
                return row;
            }
        }
    }

    /// Waits until its first bytes came: from then on it misses nothing.
    ///
    /// # Panics
    /// If they do not.
    pub fn stands(mut self) -> Self {
        let mut line = String::new();
        while !line.starts_with("retry:") {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).expect("a beginning"), 0, "it ends at once");
        }
        self
    }

    /// Whether nothing of it comes for a while, which is not its end.
    ///
    /// # Panics
    /// If its socket fails.
    pub fn is_quiet_for(&mut self, time: Duration) -> bool {
        self.0.get_ref().set_read_timeout(Some(time)).expect("a time-out can be set");
        let quiet = match self.0.fill_buf() {
            Ok(_) => false,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        self.0.get_ref().set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
        quiet
    }
}
