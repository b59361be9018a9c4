//! Random programs of boundary operations in `tests/plugins/fuzz.c`, for random devices and callers who hang up at random
//! moments, while the plugin is swapped. The plugin checks what the host does and ends the process where it is wrong; here
//! is checked what callers get.
//!
//! `THINGCALL_FUZZ_CALLS` and `THINGCALL_FUZZ_SEED` make it longer and other.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use serde_json::{Value, json};
use thingcall_core::{Answer, CallError, CallMode, Command, Deadline, DeviceLink, Executed, ReplyBody};
use thingcall_loader::{Execution, PluginConfig};
use thingcall_tests::c_plugin;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bench::{Bench, call, deadline, replied};

const CALLS: u32 = 5_000;
const SEED: u64 = 424_242;
const AT_ONCE: usize = 64;
/// How many times the plugin is swapped.
const SWAPS: u32 = 10;
const LETTERS_MAX: usize = 40;

fn from_environment<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn random_programs_on_the_plugins_own_threads_find_no_fault() {
    run(PluginConfig::default());
}

#[test]
fn random_programs_on_the_servers_threads_find_no_fault() {
    run(PluginConfig { execution: Execution::Inline, ..PluginConfig::default() });
}

fn run(treated: PluginConfig) {
    let (calls, seed) =
        (from_environment("THINGCALL_FUZZ_CALLS", CALLS), from_environment("THINGCALL_FUZZ_SEED", SEED));
    // Not captured: what the harness captures is lost when the process ends.
    let said = writeln!(std::io::stderr(), "fuzz: {calls} calls, seed {seed}, {:?}", treated.execution);
    said.expect("stderr");
    let folder = tempfile::tempdir().expect("a scratch folder");
    let library = c_plugin("tests/plugins/fuzz.c", &[], folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(play(&library, treated, calls, seed));
}

async fn play(library: &Path, treated: PluginConfig, calls: u32, seed: u64) {
    let bench = Arc::new(Bench::load(library, "fuzz", treated).await);
    assert_eq!(bench.refused(), None);
    let mut random = Rng::with_seed(seed);
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let seen = Arc::new(Seen::default());
    for number in 1..=calls {
        let permit = room.clone().acquire_owned().await.expect("room");
        let (own, counted, random) = (bench.clone(), seen.clone(), random.fork());
        running.spawn(async move {
            counted.note(one(&own, number, random).await);
            drop((own, permit));
        });
        if number % (calls / SWAPS).max(1) == 0 {
            let swapped = bench
                .plugins
                .reload("fuzz", thingcall_loader::Settings::AsBefore, false)
                .await
                .expect("the same file is loaded again");
            assert!(swapped.changed);
        }
        while let Some(ended) = running.try_join_next() {
            ended.expect("a call's checks");
        }
    }
    running.join_all().await;
    assert!(calls < CALLS || seen.all(), "too little of something: {seen:?}");
    Arc::into_inner(bench).expect("no call is left").shut_down().await;
}

/// How many calls ended how.
#[derive(Debug, Default)]
struct Seen {
    replied: AtomicUsize,
    accepted: AtomicUsize,
    failed: AtomicUsize,
    hung_up: AtomicUsize,
}

impl Seen {
    fn note(&self, ended: Option<Result<Answer, CallError>>) {
        let place = match ended {
            Some(Ok(Answer::Replied(_))) => &self.replied,
            Some(Ok(Answer::Accepted)) => &self.accepted,
            Some(Err(_)) => &self.failed,
            None => &self.hung_up,
        };
        place.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there was enough of each.
    fn all(&self) -> bool {
        let counts = [&self.replied, &self.accepted, &self.failed, &self.hung_up];
        counts.into_iter().all(|count| count.load(Ordering::Relaxed) >= 20)
    }
}

/// One call, and what its caller must see; `None` for one who hung up.
async fn one(bench: &Bench, number: u32, mut random: Rng) -> Option<Result<Answer, CallError>> {
    let mode = if random.u8(..4) == 0 { CallMode::Async } else { CallMode::Sync };
    let program = program(&mut random);
    let args = format!(r#"{{"id":{number},"program":"{program}"}}"#);
    let patience = Duration::from_millis(random.u64(..60));
    let device = Device { mode, random: Mutex::new(random), asked: AtomicUsize::new(0), open: AtomicUsize::new(0) };

    let call = call(number, mode, &args);
    let ended = tokio::time::timeout(patience, bench.call(&call, &device)).await;

    let on = format!("call {number}, {mode:?}, {program}: {ended:?}");
    match &ended {
        Err(_hung_up) => {}
        Ok(Ok(Answer::Replied(ReplyBody { code, data, .. }))) => {
            let data: Value = serde_json::from_str(data).expect("JSON");
            assert_eq!(data, json!({ "id": number }), "another call's answer: {on}");
            assert!([200, 460].contains(code), "{on}");
        }
        Ok(Ok(Answer::Accepted)) => {
            assert!(mode == CallMode::Async && device.asked.load(Ordering::Relaxed) > 0, "{on}");
        }
        Ok(Err(error)) => {
            let asked = device.asked.load(Ordering::Relaxed);
            assert!(asked == 0 || error.executed() != Executed::No, "the device was asked {asked} times: {on}");
        }
    }
    assert_eq!(device.open.load(Ordering::Relaxed), 0, "a call of the device goes on: {on}");
    ended.ok()
}

/// Letters of `tests/plugins/fuzz.c`.
fn program(random: &mut Rng) -> String {
    let mut program = String::new();
    match random.u8(..20) {
        // No state; or begin says that it failed.
        0 => program.push('N'),
        1 => program.push('R'),
        // Two threads that answer and go on asking, in step.
        2..5 => return "t1hf0f1c0f2t0c1f3ehr0c0f0t1ef4t0c0f5c1t0".to_owned(),
        _ => {}
    }
    for _ in 0..random.usize(..LETTERS_MAX) {
        let (letter, numbers) = *random
            .choice(&[
                ('f', 8),
                ('f', 8),
                ('f', 8),
                ('F', 1),
                ('l', 20),
                ('t', 20),
                ('t', 3),
                ('x', 60),
                ('x', 60),
                ('c', 12),
                ('w', 1),
                ('w', 1),
                ('W', 200),
                ('k', 64),
                ('r', 1),
                ('b', 30),
                ('g', 60),
                ('m', 4),
                ('p', 3),
                ('.', 0),
                ('.', 0),
                ('.', 0),
                ('.', 0),
                ('h', 0),
                ('e', 0),
            ])
            .expect("letters");
        program.push(letter);
        if numbers > 0 {
            program.push_str(&random.u32(..numbers).to_string());
        }
    }
    // Half of them come to a good end, if they come that far.
    if random.bool() {
        program.push_str("f1t2w.f2..c0");
    }
    program
}

/// A device that answers at once, late, never, or fails.
struct Device {
    mode: CallMode,
    random: Mutex<Rng>,
    /// How many commands it may have executed.
    asked: AtomicUsize,
    open: AtomicUsize,
}

/// A command under way.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl DeviceLink for Device {
    async fn call(&self, command: Command) -> Result<Answer, CallError> {
        self.open.fetch_add(1, Ordering::Relaxed);
        let _open = Open(&self.open);
        let params: Value = serde_json::from_str(command.params.as_str()).expect("JSON");
        assert!(params.is_object(), "{params}");
        let (fate, wait) = {
            let mut random = self.random.lock().expect("not poisoned");
            (random.u8(..10), Duration::from_millis(random.u64(..30)))
        };
        if fate < 8 {
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
        match fate {
            0..4 => {}
            4..6 => tokio::time::sleep(wait).await,
            6 => std::future::pending().await,
            7 => return Err(CallError::Timeout { device: "dev".to_owned(), waited_ms: 1, hint: None }),
            8 => return Err(CallError::Offline("dev".to_owned())),
            _ => return Err(CallError::TransportDown),
        }
        match self.mode {
            CallMode::Sync => Ok(replied(r#"{"of":"the device"}"#)),
            CallMode::Async => Ok(Answer::Accepted),
        }
    }

    fn deadline(&self) -> Deadline {
        deadline()
    }
}
