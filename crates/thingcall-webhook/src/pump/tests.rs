//! The pump between a log in memory and an HTTP server that answers as it is told.

use std::num::{NonZeroU32, NonZeroUsize};

use prometheus::Registry;
use thingcall_core::testing::MemoryLog;
use thingcall_core::{DeviceKey, MessageKind, NewMessage, Words};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::metrics::Families;
use crate::webhooks::{Targets, Webhooks};

/// A request that waits for its answer.
struct Asked {
    id: String,
    body: String,
    answer: tokio::sync::oneshot::Sender<&'static str>,
}

impl Asked {
    fn is(self, answer: &'static str) -> String {
        self.answer.send(answer).expect("it waits");
        self.id
    }
}

const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops";
/// What it says does not end.
const OK_DRIPPING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\no";
const GONE_DRIPPING: &str = "HTTP/1.1 410 Gone\r\ncontent-length: 1000\r\n\r\no";
const GONE: &str = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";

async fn serve(mut stream: TcpStream, asked: UnboundedSender<Asked>) {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let of =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
        let length: usize = of("content-length:").expect("a length").parse().expect("a number");
        while read.len() < end + length {
            assert!(stream.read_buf(&mut read).await.expect("a body") > 0);
        }
        let body = String::from_utf8_lossy(&read[end..end + length]).into_owned();
        read.drain(..end + length);
        let (answer, answered) = tokio::sync::oneshot::channel();
        let id = of("webhook-id:").expect("an id");
        if asked.send(Asked { id, body, answer }).is_err() {
            return;
        }
        let Ok(answer) = answered.await else { return };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn event(device: &str, body: &str) -> NewMessage {
    let device = DeviceKey { product: "pk".try_into().expect("key"), name: device.try_into().expect("name") };
    let words = Words { topic: "t".to_owned(), body: body.to_owned().into(), trace: None };
    NewMessage { kind: MessageKind::Event, device, at: UnixMillis::now(), words }
}

struct Bench {
    config: Config,
    log: Arc<MemoryLog>,
    registry: Registry,
    webhooks: Webhooks,
    asked: UnboundedReceiver<Asked>,
}

async fn bench(change: impl FnOnce(&mut Config)) -> Bench {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let url = format!("http://{}/hook", socket.local_addr().expect("an address"));
    let (asks, asked) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            tokio::spawn(serve(stream, asks.clone()));
        }
    });
    let text = serde_json::json!({ "url": url, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }).to_string();
    let mut config: Config = serde_json::from_str(&text).expect("a configuration");
    config.retry_pause_min = Duration::from_millis(1);
    config.retry_pause_max = Duration::from_millis(1);
    change(&mut config);
    let (log, registry) = (Arc::new(MemoryLog::default()), Registry::new());
    let targets = Targets::from([("t".parse().expect("a name"), config.clone())]);
    let webhooks = Webhooks::start(&targets, log.clone(), None, &registry).await.expect("they start");
    Bench { config, log, registry, webhooks, asked }
}

impl Bench {
    async fn tell(&self, device: &str, body: &str) {
        self.log.append(vec![event(device, body)]).await.expect("it is written");
    }

    /// The target's pump, which nothing but the test drives any more.
    async fn pump(&mut self) -> Pump {
        let none =
            Webhooks::start(&Targets::new(), self.log.clone(), None, &Registry::new()).await.expect("they start");
        std::mem::replace(&mut self.webhooks, none).stop(Duration::from_secs(60)).await;
        self.log.set_reader(&reader(), self.config.wanted()).await.expect("a log");
        let families = Families::register(&Registry::new()).expect("metrics");
        let (name, poster) = ("t".parse().expect("a name"), Poster::new(&self.config).expect("a target"));
        let metrics = families.of(&name, &self.config);
        Pump::new(name, self.config.clone(), (self.log.clone(), poster), metrics, CancellationToken::new())
    }

    async fn asked(&mut self) -> Asked {
        timeout(Duration::from_secs(60), self.asked.recv()).await.expect("in time").expect("a request")
    }

    async fn standing(&self) -> (u64, u64, u64) {
        let standing = self.log.standing(&reader()).await.expect("a log");
        (standing.unread, standing.again, standing.dead)
    }

    fn counted(&self, line: &str) -> bool {
        let told = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).expect("text");
        told.lines().any(|told| told == line)
    }

    /// Waits until the metrics say so.
    async fn until(&self, line: &str) {
        let says = async {
            while !self.counted(line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), says).await.unwrap_or_else(|_| panic!("never: {line}"));
    }
}

fn reader() -> ReaderName {
    ReaderName("webhook:t".to_owned())
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_under_its_id_and_taken_once() {
    let mut bench = bench(|_| ()).await;
    bench.tell("d", "{}").await;
    let first = bench.asked().await;
    assert!(first.body.contains(&format!(r#"{{"id":"{}","type":"event","#, first.id)), "{}", first.body);
    let id = first.is(BROKEN);
    assert_eq!(bench.asked().await.is(OK), id);
    bench.until("thingcall_webhook_deliveries_total{result=\"delivered\",target=\"t\"} 1").await;
    assert_eq!(bench.standing().await, (0, 0, 0));
    bench.webhooks.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_message_is_dead_after_its_last_try_and_at_once_where_the_target_wants_none() {
    let mut bench = bench(|config| config.tries_max = NonZeroU32::new(2).expect("a number")).await;
    bench.tell("d", "{}").await;
    let id = bench.asked().await.is(BROKEN);
    assert_eq!(bench.asked().await.is(BROKEN), id);
    bench.until("thingcall_webhook_deliveries_total{result=\"dead\",target=\"t\"} 1").await;
    bench.tell("d", "{}").await;
    let gone = bench.asked().await.is(GONE);
    bench.until("thingcall_webhook_deliveries_total{result=\"dead\",target=\"t\"} 2").await;
    let dead = bench.log.dead(&reader(), 0, 9).await.expect("a log");
    let told: Vec<_> = dead.iter().map(|(taken, why)| (taken.message.id.to_string(), taken.tries, &**why)).collect();
    assert_eq!(told, [(id.clone(), 2, "500 Internal Server Error: oops"), (gone, 1, "410 Gone: ")]);
    // Sent again by hand.
    assert_eq!(bench.log.revive(&reader(), None).await.expect("a log"), 2);
    assert_eq!(bench.asked().await.is(OK), id);
    bench.webhooks.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn no_more_are_on_their_way_than_may_be() {
    let most = NonZeroUsize::new(2).expect("a number");
    let mut bench = bench(|config| config.in_flight_requests_max = most).await;
    for _ in 0..3 {
        bench.tell("d", "{}").await;
    }
    let (first, second) = (bench.asked().await, bench.asked().await);
    bench.until("thingcall_webhook_in_flight_requests{target=\"t\"} 2").await;
    assert!(bench.asked.try_recv().is_err() && bench.standing().await.0 == 1, "the third stays in the log");
    let (first, second) = (first.is(OK), second.is(OK));
    let third = bench.asked().await.is(OK);
    assert!(third != first && third != second);
    bench.webhooks.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn more_bytes_than_may_be_are_not_on_their_way() {
    let most = NonZeroUsize::new(100).expect("a number");
    let mut bench = bench(|config| config.in_flight_bytes_max = most).await;
    let large = format!("\"{}\"", "x".repeat(200));
    for body in [&*large, "{}"] {
        bench.tell("d", body).await;
    }
    let first = bench.asked().await;
    bench.until("thingcall_webhook_in_flight_bytes{target=\"t\"} 203").await;
    assert!(bench.asked.try_recv().is_err(), "the large one goes alone");
    first.is(OK);
    bench.asked().await.is(OK);
    bench.webhooks.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_target_that_takes_nothing_is_tried_with_one_message() {
    let mut bench = bench(|_| ()).await;
    bench.tell("d", "{}").await;
    bench.asked().await.is(BROKEN);
    bench.until("thingcall_webhook_failing{target=\"t\"} 1").await;
    for _ in 0..5 {
        bench.tell("d", "{}").await;
    }
    let one = bench.asked().await;
    assert!(bench.asked.try_recv().is_err() && bench.counted("thingcall_webhook_in_flight_requests{target=\"t\"} 1"));
    one.is(OK);
    for _ in 0..5 {
        bench.asked().await.is(OK);
    }
    bench.until("thingcall_webhook_failing{target=\"t\"} 0").await;
    bench.webhooks.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn what_is_about_another_module_is_not_sent() {
    let mut bench = bench(|config| config.modules = vec!["fb".to_owned()]).await;
    bench.tell("d", r#"{"identifier":"e"}"#).await;
    bench.tell("d", r#"{"identifier":"fb:e"}"#).await;
    let asked = bench.asked().await;
    assert!(asked.body.contains("fb:e"), "{}", asked.body);
    asked.is(OK);
    bench.until("thingcall_webhook_deliveries_total{result=\"unwanted\",target=\"t\"} 1").await;
    bench.until("thingcall_webhook_deliveries_total{result=\"delivered\",target=\"t\"} 1").await;
    assert_eq!(bench.standing().await, (0, 0, 0));
    bench.webhooks.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn others_messages_are_passed_over_many_at_once() {
    let mut bench = bench(|config| config.modules = vec!["fb".to_owned()]).await;
    let mut pump = bench.pump().await;
    for _ in 1..SKIM {
        bench.tell("d", r#"{"identifier":"e"}"#).await;
    }
    bench.tell("d", r#"{"identifier":"fb:e"}"#).await;
    assert!(pump.take().await.expect("a log"));
    assert_eq!(pump.out.len(), 1, "one look at the log found it");
    bench.asked().await.is(OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_seen_while_there_is_always_more_to_take() {
    let mut bench = bench(|config| config.modules = vec!["fb".to_owned()]).await;
    let log = bench.log.clone();
    bench.tell("d", r#"{"identifier":"fb:e"}"#).await;
    let flood = AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            if log.standing(&reader()).await.expect("a log").unread < 10_000 {
                log.append((0..100).map(|_| event("d", r#"{"identifier":"e"}"#)).collect())
                    .await
                    .expect("it is written");
            }
            tokio::task::yield_now().await;
        }
    }));
    bench.asked().await.is(OK);
    bench.until("thingcall_webhook_deliveries_total{result=\"delivered\",target=\"t\"} 1").await;
    drop(flood);
    bench.webhooks.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn what_waits_is_not_sent_while_a_target_is_left_alone() {
    let mut bench = bench(|config| config.modules = vec!["fb".to_owned()]).await;
    let mut pump = bench.pump().await;
    for _ in 0..20 {
        bench.tell("d", r#"{"identifier":"fb:e"}"#).await;
    }
    assert!(pump.take().await.expect("a log"));
    assert_eq!((pump.out.len(), pump.waiting.len()), (8, 12));
    bench.asked().await.is(BROKEN);
    let (place, done) = pump.sending.next().await.expect("an answer");
    pump.ended(place, done);
    assert_eq!((pump.out.len(), pump.waiting.len()), (7, 12));
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_failure_and_a_stop_gives_back() {
    let mut bench = bench(|config| config.timeout = Duration::from_millis(50)).await;
    bench.tell("d", "{}").await;
    let _unanswered = bench.asked().await;
    bench.until("thingcall_webhook_deliveries_total{result=\"failed\",target=\"t\"} 1").await;
    bench.webhooks.stop(Duration::from_secs(60)).await;
    assert_eq!(bench.log.standing(&reader()).await.expect("a log").again, 1);
}

#[tokio::test]
async fn a_stop_gives_back_what_has_no_answer() {
    let mut bench = bench(|_| ()).await;
    bench.tell("d", "{}").await;
    let _unanswered = bench.asked().await;
    bench.webhooks.stop(Duration::from_secs(60)).await;
    let again = bench.log.take_again(&reader(), 9).await.expect("a log");
    assert_eq!(again.iter().map(|taken| taken.tries).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn nothing_more_is_written_for_a_target_that_is_none_any_more() {
    let bench = bench(|_| ()).await;
    assert!(bench.log.is_wanted(&"pk".try_into().expect("key"), MessageKind::Event));
    bench.webhooks.stop(Duration::from_secs(60)).await;
    let none = Webhooks::start(&Targets::new(), bench.log.clone(), None, &Registry::new()).await.expect("they start");
    assert!(!bench.log.is_wanted(&"pk".try_into().expect("key"), MessageKind::Event));
    none.stop(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn status_counts_whatever_becomes_of_the_rest_of_an_answer() {
    let mut bench = bench(|config| config.timeout = Duration::from_secs(60 * 60)).await;
    for (answer, result) in [(OK_DRIPPING, "delivered"), (GONE_DRIPPING, "dead")] {
        bench.tell("d", "{}").await;
        bench.asked().await.is(answer);
        bench.until(&format!("thingcall_webhook_deliveries_total{{result=\"{result}\",target=\"t\"}} 1")).await;
    }
    bench.webhooks.stop(Duration::from_secs(60)).await;
}
