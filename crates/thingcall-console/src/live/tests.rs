//! When a tail ends, and what its reader is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use prometheus::Registry;
use serde_json::Value;
use thingcall_core::{
    AccessKey, AuditEntry, AuditFilter, AuditKept, DeviceKey, DeviceWatch, ProductKey, Secret, UnixMillis,
};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Feeder, LIFETIME, News, Row, Source};
use crate::cell::Cell;
use crate::config::Config;
use crate::desk::Desk;
use crate::ended::Ended;
use crate::history::History;
use crate::in_force::{LogChange, LogLevel, Setting};
use crate::key_change::{KeyChange, KeyRefused};
use crate::lang::Lang;
use crate::lockout::Lockout;
use crate::metrics::Metrics;
use crate::operations::{
    Answer, Condition, DeviceLogin, Draft, Enlisted, Instance, MessageTail, Models, NewDevice, Operations, Signatures,
    Tailing, ToSign, Whose,
};
use crate::refused::Refused;
use crate::seat::Seat;
use crate::session::Session;
use crate::strangers::Strangers;
use crate::tails::Tails;

/// Knows one key, and nothing else.
struct OneKey(Mutex<Option<Arc<AccessKey>>>);

#[async_trait]
impl Operations for OneKey {
    fn instance(&self) -> Instance {
        unreachable!("nobody asks")
    }

    fn key(&self, _: &str) -> Option<Arc<AccessKey>> {
        self.0.lock().unwrap().clone()
    }

    fn watch(&self, _: DeviceKey) -> Box<dyn DeviceWatch> {
        unreachable!("nobody watches")
    }

    fn keys(&self) -> Vec<Arc<AccessKey>> {
        Vec::new()
    }

    fn rule_names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    async fn change_key(&self, _: KeyChange) -> Result<Option<AccessKey>, KeyRefused> {
        unreachable!("nobody changes any")
    }

    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }

    fn log_level(&self) -> LogLevel {
        unreachable!("nobody asks")
    }

    async fn change_log(&self, _: LogChange) -> Result<(), String> {
        Ok(())
    }

    fn conditions(&self) -> Vec<Condition> {
        Vec::new()
    }

    fn metrics(&self) -> String {
        String::new()
    }

    fn actions(&self) -> Vec<&'static thingcall_core::ActionSheet> {
        Vec::new()
    }

    async fn perform(&self, _: Arc<AccessKey>, _: &str, _: &[(String, String)]) -> Answer {
        Answer { status: 404, body: Value::Null }
    }

    async fn audit(&self, _: Vec<AuditEntry>) {}

    async fn audited(&self, _: &AuditFilter, _: usize) -> Result<Vec<AuditKept>, String> {
        Ok(Vec::new())
    }

    async fn ask(&self, _: &str) -> Answer {
        Answer { status: 404, body: Value::Null }
    }

    async fn register(&self, _: &ProductKey, _: Vec<NewDevice>) -> Vec<Enlisted> {
        Vec::new()
    }

    async fn login(&self, _: DeviceKey) -> Result<DeviceLogin, String> {
        Err("nobody asks".to_owned())
    }

    async fn change(&self, _: &str) -> Answer {
        Answer { status: 404, body: Value::Null }
    }
}

#[async_trait]
impl Models for OneKey {
    async fn check_model(&self, _: Arc<AccessKey>, _: &str, _: &Draft) -> Answer {
        unreachable!("nobody asks")
    }

    async fn compare_model(&self, _: Arc<AccessKey>, _: &str, _: &str) -> Answer {
        unreachable!("nobody asks")
    }

    async fn restore_model(&self, _: Arc<AccessKey>, _: &str, _: &str, _: &str) -> Answer {
        unreachable!("nobody asks")
    }
}

#[async_trait]
impl Signatures for OneKey {
    async fn explain(&self, _: String, _: Whose) -> Answer {
        unreachable!("nobody asks")
    }

    fn sign(&self, _: &AccessKey, _: &ToSign) -> Answer {
        unreachable!("nobody asks")
    }
}

#[async_trait]
impl Tailing for OneKey {
    async fn tail(&self, _: Option<ProductKey>) -> Result<Box<dyn MessageTail>, String> {
        unreachable!("nobody asks")
    }
}

struct Told(UnboundedReceiver<Result<Vec<News>, Refused>>);

#[async_trait]
impl Source for Told {
    async fn next(&mut self, _: &Seat) -> Result<Vec<News>, Refused> {
        match self.0.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

struct Bench {
    operations: Arc<OneKey>,
    tell: UnboundedSender<Result<Vec<News>, Refused>>,
    chunks: Receiver<Bytes>,
    stopping: CancellationToken,
    task: JoinHandle<()>,
}

fn key() -> Arc<AccessKey> {
    Arc::new(AccessKey {
        id: "key".to_owned(),
        secret: Secret::new("secret"),
        account: "default".to_owned(),
        enabled: true,
        security_token: None,
        result: None,
        allow: None,
        temporary: None,
    })
}

fn bench() -> Bench {
    let registry = Registry::new();
    let operations = Arc::new(OneKey(Mutex::new(Some(key()))));
    let desk = Desk {
        history: History::default(),
        config: Config::default(),
        operations: operations.clone(),
        lockout: Lockout::new(1, Duration::from_secs(1)),
        lockout_of_nobody: Lockout::new(1, Duration::from_secs(1)),
        ended: Ended::register(&registry).unwrap(),
        refusals: thingcall_core::Refusals::default(),
        strangers: Strangers::new(1),
        tails: Tails::new(1, &registry).unwrap(),
        metrics: Metrics::register(&registry).unwrap(),
        cookie: "thingcall".to_owned(),
    };
    let session = Session::begin("key", UnixMillis::now()).unwrap();
    let seat = Seat { desk: Arc::new(desk), key: key(), session, lang: Lang::En, path: "/".to_owned(), trail: None };
    let (tell, told) = unbounded_channel();
    let (out, chunks) = channel(1);
    let stopping = CancellationToken::new();
    let feeder = Feeder { seat, out, stopping: stopping.clone(), quiet: 0 };
    Bench { operations, tell, chunks, stopping, task: tokio::spawn(feeder.run(Told(told))) }
}

impl Bench {
    async fn chunk(&mut self) -> Option<String> {
        self.chunks.recv().await.map(|chunk| String::from_utf8(chunk.to_vec()).unwrap())
    }
}

fn row(place: &str, text: &str) -> News {
    News::Row(Row { place: place.to_owned(), cells: vec![Cell::Text(text.to_owned())] })
}

#[tokio::test(start_paused = true)]
async fn rows_are_events_whatever_they_hold() {
    let mut bench = bench();
    assert_eq!(bench.chunk().await.unwrap(), "retry: 2000\n:\n\n");
    bench.tell.send(Ok(vec![row("7\ndata: forged", "a\n\ndata: b</script>"), News::Missed(3)])).unwrap();
    let told = bench.chunk().await.unwrap();
    let expected = "id: 7data: forged\nevent: row\ndata: [{\"text\":\"a\\n\\ndata: b</script>\"}]\n\n\
                    event: missed\ndata: {\"rows\":3}\n\n";
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn one_whose_key_ends_is_told_so_and_ends() {
    let mut bench = bench();
    bench.chunk().await.unwrap();
    let disabled = AccessKey { enabled: false, ..(*key()).clone() };
    *bench.operations.0.lock().unwrap() = Some(Arc::new(disabled));
    let told = bench.chunk().await.unwrap();
    assert!(told.starts_with("event: end\n") && told.contains("log in again"), "{told}");
    assert_eq!(bench.chunk().await, None);
    bench.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_with_a_login_of_another_secret_ends_before_a_row_is_told() {
    let mut bench = bench();
    bench.chunk().await.unwrap();
    let other = AccessKey { secret: Secret::new("other"), ..(*key()).clone() };
    *bench.operations.0.lock().unwrap() = Some(Arc::new(other));
    bench.tell.send(Ok(vec![row("1", "not for it")])).unwrap();
    assert!(bench.chunk().await.unwrap().starts_with("event: end\n"));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_quiet_is_heard_and_ends_after_a_while() {
    let mut bench = bench();
    let began = tokio::time::Instant::now();
    bench.chunk().await.unwrap();
    let mut heard = 0;
    while let Some(chunk) = bench.chunk().await {
        assert_eq!(chunk, ":\n\n");
        heard += 1;
    }
    assert!(began.elapsed() >= LIFETIME && (50..=70).contains(&heard), "{heard} in {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_ends_when_the_server_stops_or_its_reader_leaves() {
    let mut stopped = bench();
    stopped.chunk().await.unwrap();
    stopped.stopping.cancel();
    assert_eq!(stopped.chunk().await, None);
    let Bench { chunks, task, .. } = bench();
    drop(chunks);
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_source_refuses_is_told() {
    let mut bench = bench();
    bench.chunk().await.unwrap();
    bench.tell.send(Err(Refused { code: "Forbidden.RAM".to_owned(), text: "not \"this\"".to_owned() })).unwrap();
    let told = bench.chunk().await.unwrap();
    assert_eq!(told, "event: end\ndata: {\"text\":\"Forbidden.RAM: not \\\"this\\\"\"}\n\n");
}

#[test]
fn there_are_never_more_than_may_be() {
    let tails = Tails::new(2, &Registry::new()).unwrap();
    let first = tails.take("a").unwrap();
    assert_eq!(tails.take("a").unwrap_err(), 1, "a key leaves half of them to others");
    let _second = tails.take("b").unwrap();
    assert_eq!(tails.take("c").unwrap_err(), 2);
    drop(first);
    assert!(tails.take("a").is_ok());
}
