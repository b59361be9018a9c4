//! Calls at a steady pace over sockets of the tests' own, each kept with its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::app::Answer;
use crate::http::{HttpAnswer, request};
use crate::wait::{TIMEOUT, eventually};

/// Calls that are being made, from the first to the last or until told to end.
#[derive(Debug)]
pub struct Load {
    all: usize,
    progress: Arc<Progress>,
    calls: JoinHandle<Vec<(usize, Answer)>>,
}

#[derive(Debug, Default)]
struct Progress {
    ends: AtomicBool,
    answered: AtomicUsize,
}

impl Load {
    /// Begins to send these signed paths, whether earlier ones are answered or not.
    pub fn start(api: SocketAddr, paths: Vec<String>, calls_per_second: u32) -> Self {
        let (all, progress) = (paths.len(), Arc::new(Progress::default()));
        let told = progress.clone();
        let calls = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(send(api, paths, calls_per_second, told))
        });
        Self { all, progress, calls }
    }

    /// Waits until so many more calls were answered, however, or all.
    pub fn goes_on(&self, calls: usize) {
        let answered = || self.progress.answered.load(Ordering::Relaxed);
        let enough = self.all.min(answered() + calls);
        eventually("calls are answered", || (answered() >= enough).then_some(()));
    }

    /// Makes no more calls, and waits for the answers of those that were made: their places in the list, with the
    /// answer.
    ///
    /// # Panics
    /// If one has no answer in time, or not exactly one.
    pub fn end(self) -> Vec<(usize, Answer)> {
        self.progress.ends.store(true, Ordering::Relaxed);
        self.calls.join().expect("every call has its answer")
    }
}

async fn send(
    api: SocketAddr,
    paths: Vec<String>,
    calls_per_second: u32,
    progress: Arc<Progress>,
) -> Vec<(usize, Answer)> {
    let mut pace = interval(Duration::from_secs(1) / calls_per_second);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut calls = JoinSet::new();
    for (place, path) in paths.into_iter().enumerate() {
        pace.tick().await;
        if progress.ends.load(Ordering::Relaxed) {
            break;
        }
        let progress = progress.clone();
        calls.spawn(async move {
            let answer = timeout(TIMEOUT, call(api, &path)).await.expect("an answer in time");
            progress.answered.fetch_add(1, Ordering::Relaxed);
            let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON, and one object of it");
            (place, Answer::of(json!({ "body": body })))
        });
    }
    calls.join_all().await
}

async fn call(api: SocketAddr, path: &str) -> HttpAnswer {
    let mut stream = TcpStream::connect(api).await.expect("a listener");
    stream.write_all(request(api, "POST", path).as_bytes()).await.expect("the request can be sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("an answer");
    HttpAnswer::read(bytes)
}
