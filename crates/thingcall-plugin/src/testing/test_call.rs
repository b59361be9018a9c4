//! A call on the bench: its operations, and its clock.
//!
//! **Invariant:** an operation is told its end once: it is taken out for that.

use std::time::Duration;

use serde_json::Value;

use crate::abi;
use crate::host::{End, Told};
use crate::log::Level;
use crate::{Reject, Reply};

/// How many operations a call may have at once, as with the server.
const OPERATIONS_MAX: usize = 64;

/// How an operation ended.
pub(super) struct Ended {
    status: i32,
    code: i32,
    data: String,
    message: String,
}

impl Ended {
    pub(super) fn answered(code: i32, data: &str, message: &str) -> Self {
        Self { status: abi::OK, code, data: data.to_owned(), message: message.to_owned() }
    }

    pub(super) fn failed(status: i32, message: &str) -> Self {
        Self { status, code: 0, data: String::new(), message: message.to_owned() }
    }

    pub(super) fn cancelled() -> Self {
        Self::failed(abi::E_CANCELLED, "")
    }

    pub(super) fn told(&self) -> Told<'_> {
        Told { status: self.status, code: self.code, data: self.data.as_bytes(), message: &self.message }
    }
}

/// What happens next in a call.
pub(super) enum Event {
    /// The handler asked to be polled.
    Wake,
    /// An operation ended.
    Ended(End, Ended),
    /// The device is asked.
    Command(i32, Value),
    /// The handler has answered.
    Answered(Result<Reply, Reject>),
    /// The time of the call is over.
    Deadline,
}

/// What the plugin asks for.
pub(super) enum Order {
    /// A command, and how long it may take.
    Command(Value, Option<Duration>),
    Timer(Duration),
}

struct Operation {
    number: i32,
    end: End,
    due: Due,
}

enum Due {
    /// The device is to be asked.
    Asks(Option<Value>, Option<Duration>),
    In(Duration, Ended),
    Never,
}

// SAFETY: the pointers are the plugin's, for use on any thread, as the ABI says.
unsafe impl Send for Operation {}

pub(super) struct TestCall {
    pub(super) woken: bool,
    pub(super) answer: Option<Result<Reply, Reject>>,
    pub(super) logged: Vec<(Level, String)>,
    pub(super) left: Duration,
    pub(super) sync: bool,
    pub(super) accepted: bool,
    over: bool,
    operations: Vec<Operation>,
    last_number: i32,
}

impl TestCall {
    pub(super) fn new(deadline: Duration, sync: bool) -> Self {
        Self {
            woken: false,
            answer: None,
            logged: Vec::new(),
            left: deadline,
            sync,
            accepted: false,
            over: false,
            operations: Vec::new(),
            last_number: 0,
        }
    }

    /// Whether its token is stale.
    pub(super) fn is_over(&self) -> bool {
        self.over || self.answer.is_some()
    }

    pub(super) fn start(&mut self, order: Order, end: End) -> i32 {
        if self.is_over() {
            return abi::E_STALE;
        }
        if self.operations.len() >= OPERATIONS_MAX {
            return abi::E_LIMIT;
        }
        let due = match order {
            Order::Command(args, within) => Due::Asks(Some(args), within),
            Order::Timer(time) => Due::In(time, Ended::answered(0, "", "")),
        };
        self.last_number += 1;
        self.operations.push(Operation { number: self.last_number, end, due });
        self.last_number
    }

    /// Its end comes at once, but not on the stack of this call.
    pub(super) fn cancel(&mut self, number: i32) -> i32 {
        let Some(operation) = self.operations.iter_mut().find(|operation| operation.number == number) else {
            return abi::E_INVAL;
        };
        operation.due = Due::In(Duration::ZERO, Ended::cancelled());
        abi::OK
    }

    /// The device was asked: this is when and how the command ends.
    pub(super) fn settle(&mut self, number: i32, after: Option<Duration>, ended: Ended) {
        let Some(operation) = self.operations.iter_mut().find(|operation| operation.number == number) else { return };
        let Due::Asks(_, within) = operation.due else { return };
        operation.due = match (after, within) {
            (Some(after), Some(within)) if after < within => Due::In(after, ended),
            (_, Some(within)) => Due::In(within, Ended::failed(abi::E_TIMEOUT, "the device did not answer in time")),
            (Some(after), None) => Due::In(after, ended),
            (None, None) => Due::Never,
        };
    }

    /// What happens next: an answer, a poll, a command, else what ends first. `None`: only another thread can help.
    pub(super) fn next(&mut self) -> Option<Event> {
        if let Some(answer) = self.answer.take() {
            self.over = true;
            return Some(Event::Answered(answer));
        }
        if std::mem::take(&mut self.woken) {
            return Some(Event::Wake);
        }
        for operation in &mut self.operations {
            if let Due::Asks(args, _) = &mut operation.due {
                if let Some(args) = args.take() {
                    return Some(Event::Command(operation.number, args));
                }
            }
        }
        if self.operations.is_empty() {
            return None;
        }
        let times = self.operations.iter().enumerate().filter_map(|(at, operation)| match operation.due {
            Due::In(time, _) => Some((time, at)),
            Due::Asks(..) | Due::Never => None,
        });
        match times.min() {
            Some((time, at)) if time <= self.left => {
                self.pass(time);
                let Operation { end, due, .. } = self.operations.remove(at);
                let ended = if let Due::In(_, ended) = due { ended } else { Ended::cancelled() };
                Some(Event::Ended(end, ended))
            }
            Some(_) | None => Some(Event::Deadline),
        }
    }

    fn pass(&mut self, passed: Duration) {
        self.left -= passed;
        for operation in &mut self.operations {
            if let Due::In(time, _) = &mut operation.due {
                *time = time.saturating_sub(passed);
            }
        }
    }

    /// Makes the token stale; whom the end of the call must still be told.
    pub(super) fn finish(&mut self) -> Vec<End> {
        self.over = true;
        self.operations.drain(..).map(|operation| operation.end).collect()
    }
}
