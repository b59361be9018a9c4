//! The endpoint as a whole, over sockets: who gets what, and what becomes of it. Its clients speak STOMP, whose frames are texts.

mod client;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use prometheus::Registry;
use thingcall_core::testing::{MemoryLog, MemorySubscriptions};
use thingcall_core::{
    AccessKey, AllowList, DeviceKey, DeviceName, GroupId, Keys, MessageKind, MessageKinds, MessageLog, NewMessage,
    ProductKey, Secret, Standing, SubscriptionLimits, Subscriptions, UnixMillis, Wanted, Words,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use self::client::{Client, Frame};
use crate::config::STRANGERS_MAX;
use crate::{Config, Endpoint, EndpointParts, Sockets};

/// Far more than anything needs, also on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A key that can be disabled, and that may be given rules.
#[derive(Default)]
struct OneKey {
    disabled: Mutex<bool>,
    allow: Mutex<Option<Arc<AllowList>>>,
}

impl Keys for OneKey {
    fn key(&self, id: &str) -> Option<Arc<AccessKey>> {
        let key = AccessKey {
            id: id.to_owned(),
            secret: Secret::new("testsecret"),
            account: "a".to_owned(),
            enabled: !*self.disabled.lock().unwrap(),
            security_token: None,
            result: None,
            allow: self.allow.lock().unwrap().clone(),
            temporary: None,
        };
        (id == "testid").then(|| Arc::new(key))
    }
}

struct Site {
    endpoint: Endpoint,
    log: Arc<MemoryLog>,
    subscriptions: Arc<MemorySubscriptions>,
    keys: Arc<OneKey>,
    address: SocketAddr,
}

fn limits() -> SubscriptionLimits {
    SubscriptionLimits::default()
}

impl Site {
    async fn start(config: Config) -> Self {
        Self::knowing(config, true).await
    }

    async fn knowing(config: Config, knows: bool) -> Self {
        let log = Arc::new(MemoryLog::default());
        let subscriptions = Arc::new(MemorySubscriptions::new(log.clone(), limits(), [product()]));
        let keys = Arc::new(OneKey::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        log.want(&GroupId::default_group().reader(), everything());
        let parts = EndpointParts {
            log: log.clone(),
            keys: keys.clone(),
            subscriptions: subscriptions.clone(),
            knows: Arc::new(move || knows),
        };
        let sockets = Sockets { plain_stomp: Some(listener), ..Sockets::default() };
        let endpoint = Endpoint::start(config, parts, sockets, &Registry::new()).unwrap();
        Self { endpoint, log, subscriptions, keys, address }
    }

    async fn append(&self, many: u32) {
        let message = |number: u32| NewMessage {
            kind: MessageKind::Property,
            device: DeviceKey { product: product(), name: DeviceName::try_from("d").unwrap() },
            at: UnixMillis::now(),
            words: Words { topic: "/a1/d/x".to_owned(), body: Bytes::from(format!("m{number}")), trace: None },
        };
        self.log.append((0..many).map(message).collect()).await.unwrap();
    }

    async fn standing(&self) -> Standing {
        self.log.standing(&GroupId::default_group().reader()).await.unwrap()
    }

    async fn consumer(&self, ack: &str) -> Client {
        let mut client = Client::connect(self.address).await;
        client.login(GroupId::DEFAULT, "testsecret").await;
        assert_eq!(client.frame().await.unwrap().command, "CONNECTED");
        client.subscribe(ack).await;
        client
    }
}

fn product() -> ProductKey {
    ProductKey::try_from("a1").unwrap()
}

fn everything() -> Wanted {
    Wanted { of: vec![(None, MessageKinds::all())] }
}

/// Tries again what came back at once.
fn quick() -> Config {
    Config { retry_after: Duration::from_millis(1), ..Config::default() }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(TIMEOUT, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

async fn messages(client: &mut Client, many: usize) -> Vec<Frame> {
    let mut all = Vec::new();
    while all.len() < many {
        let frame = client.frame().await.expect("a message");
        assert_eq!(frame.command, "MESSAGE");
        all.push(frame);
    }
    all
}

#[tokio::test]
async fn each_message_goes_to_one_consumer_and_none_is_lost() {
    // So few at once that none can have them all before the others' subscriptions are heard.
    let site = Site::start(Config { unsettled_messages_max: 10.try_into().unwrap(), ..quick() }).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(site.consumer("client-individual").await);
    }
    until("all are there", async || site.endpoint.consumers().of(&GroupId::default_group()).await.clients.len() == 3)
        .await;

    site.append(900).await;
    let taking = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            let mut ids = Vec::new();
            while let Ok(Some(frame)) = timeout(Duration::from_secs(3), client.frame()).await {
                let id = frame.header("message-id");
                client.acknowledge(&id).await;
                ids.push(id);
            }
            ids
        })
    });
    let mut ids = Vec::new();
    for taking in taking {
        let of_one = taking.await.unwrap();
        assert!(!of_one.is_empty(), "each has some");
        ids.extend(of_one);
    }

    assert_eq!(ids.len(), 900);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 900);
    let consumption = site.endpoint.consumers().of(&GroupId::default_group()).await;
    assert_eq!(consumption.consumed.all(), 900);
    assert!(consumption.last_at.is_some());
    assert_eq!(site.standing().await, Standing::default());
}

#[tokio::test]
async fn what_a_consumer_refuses_comes_again_under_its_id() {
    let site = Site::start(quick()).await;
    let mut client = site.consumer("client-individual").await;
    site.append(1).await;
    let first = messages(&mut client, 1).await.remove(0).header("message-id");

    client.refuse(&first).await;
    let second = messages(&mut client, 1).await.remove(0).header("message-id");
    client.acknowledge(&second).await;

    assert_eq!(first, second);
    until("it is settled", async || site.standing().await == Standing::default()).await;
}

#[tokio::test]
async fn what_is_not_acknowledged_in_time_comes_again() {
    let site = Site::start(Config { acknowledgement_timeout: Duration::from_millis(50), ..quick() }).await;
    let mut client = site.consumer("client-individual").await;
    site.append(1).await;

    let ids: Vec<_> = messages(&mut client, 3).await.iter().map(|frame| frame.header("message-id")).collect();

    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test]
async fn late_acceptance_counts() {
    let config = Config { acknowledgement_timeout: Duration::from_millis(50), ..Config::default() };
    let site = Site::start(config).await;
    let mut client = site.consumer("client-individual").await;
    site.append(1).await;
    let id = messages(&mut client, 1).await.remove(0).header("message-id");
    until("it came back", async || site.standing().await.again == 1).await;

    client.acknowledge(&id).await;

    until("it is settled", async || site.standing().await == Standing::default()).await;
}

#[tokio::test]
async fn what_a_lost_connection_held_goes_to_another() {
    let site = Site::start(quick()).await;
    let mut lost = site.consumer("client-individual").await;
    site.append(5).await;
    let held = messages(&mut lost, 5).await;
    drop(lost);

    let mut other = site.consumer("auto").await;
    let told = messages(&mut other, 5).await;

    let ids = |frames: Vec<Frame>| frames.iter().map(|frame| frame.header("message-id")).collect::<BTreeSet<_>>();
    assert_eq!(ids(held), ids(told));
}

#[tokio::test]
async fn stop_gives_back_what_was_not_settled() {
    let site = Site::start(Config::default()).await;
    let mut client = site.consumer("client-individual").await;
    site.append(10).await;
    let held = messages(&mut client, 10).await;
    client.acknowledge(&held[0].header("message-id")).await;
    until("one is settled", async || site.endpoint.consumers().of(&GroupId::default_group()).await.consumed.all() == 1)
        .await;

    let Site { endpoint, log, .. } = site;
    let (last, ()) = tokio::join!(client.frame(), endpoint.stop(TIMEOUT));

    assert_eq!(last.expect("a word").command, "ERROR");
    let again = log.take_again(&GroupId::default_group().reader(), 99).await.unwrap();
    assert_eq!(again.len(), 9, "due at once");
}

#[tokio::test]
async fn end_of_a_key_and_of_a_group_ends_their_connections() {
    let site = Site::start(quick()).await;
    let group = site.subscriptions.create_group("group", None).await.unwrap();
    let mut of_group = Client::connect(site.address).await;
    of_group.login(group.id.as_str(), "testsecret").await;
    assert_eq!(of_group.frame().await.unwrap().command, "CONNECTED");
    let mut of_key = site.consumer("auto").await;

    site.subscriptions.delete_group(&group.id).await.unwrap();
    let last = timeout(TIMEOUT, of_group.frame()).await.unwrap().expect("a word");
    assert!(last.text.contains("group was deleted"), "{}", last.text);

    *site.keys.disabled.lock().unwrap() = true;
    let last = timeout(TIMEOUT, of_key.frame()).await.unwrap().expect("a word");
    assert!(last.text.contains("key is disabled"), "{}", last.text);
}

#[tokio::test]
async fn a_key_with_rules_has_the_groups_that_they_allow_and_no_longer() {
    let site = Site::start(quick()).await;
    let rules = |text: &str| *site.keys.allow.lock().unwrap() = Some(Arc::new(text.parse().unwrap()));
    for refused in ["groups=OTHER*", "actions=Query*", "products=*"] {
        rules(refused);
        let mut client = Client::connect(site.address).await;
        client.login(GroupId::DEFAULT, "testsecret").await;
        assert_eq!(client.frame().await.expect("a word").command, "ERROR", "{refused}");
    }

    rules("actions=ConsumeMessages;groups=DEFAULT*");
    let mut of_key = site.consumer("auto").await;
    rules("groups=OTHER*");
    let last = timeout(TIMEOUT, of_key.frame()).await.unwrap().expect("a word");
    assert!(last.text.contains("rules allow this group no more"), "{}", last.text);
}

#[tokio::test]
async fn who_proves_nothing_or_names_no_group_is_refused() {
    let site = Site::start(quick()).await;
    let nobody = "A".repeat(GroupId::CHARS);
    for (group, secret) in [(GroupId::DEFAULT, "wrong"), (nobody.as_str(), "testsecret")] {
        let mut client = Client::connect(site.address).await;
        client.login(group, secret).await;

        assert_eq!(client.frame().await.expect("a word").command, "ERROR");
        assert!(client.frame().await.is_none());
    }
}

#[tokio::test]
async fn what_is_not_known_now_is_not_refused() {
    let site = Site::knowing(quick(), false).await;
    let mut client = Client::connect(site.address).await;
    client.login(&"A".repeat(GroupId::CHARS), "testsecret").await;
    let word = client.frame().await.map(|frame| frame.text).unwrap_or_default();

    assert!(!word.contains("refused"), "{word}");
}

#[tokio::test]
async fn a_client_too_many_waits_for_another_to_go() {
    let site = Site::start(Config { connections_max: 1.try_into().unwrap(), ..quick() }).await;
    let first = site.consumer("auto").await;
    let mut second = Client::connect(site.address).await;
    second.login(GroupId::DEFAULT, "testsecret").await;
    assert_ne!(second.frame().await.map(|frame| frame.command), Some("CONNECTED".to_owned()));

    drop(first);

    until("there is room", async || {
        let mut third = Client::connect(site.address).await;
        third.login(GroupId::DEFAULT, "testsecret").await;
        third.frame().await.is_some_and(|frame| frame.command == "CONNECTED")
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_sent_no_more_than_so_many_a_second() {
    let rate = 20.try_into().unwrap();
    let site = Site::start(Config { messages_per_second_per_connection_max: rate, ..quick() }).await;
    let mut client = site.consumer("auto").await;
    site.append(60).await;
    let began = tokio::time::Instant::now();

    messages(&mut client, 60).await;

    // Twenty at once, the rest at twenty a second.
    assert!(began.elapsed() >= Duration::from_millis(1900), "{:?}", began.elapsed());
}

/// Each waits to be asked in its turn, so how many had to go says for how long one of them kept its place.
#[tokio::test]
async fn who_says_nothing_gives_its_place_to_another_at_once() {
    let site = Site::start(Config { connections_max: 1.try_into().unwrap(), ..quick() }).await;
    let mut strangers = Vec::new();
    for _ in 0..=STRANGERS_MAX {
        strangers.push(TcpStream::connect(site.address).await.unwrap());
    }

    let _consumer = site.consumer("auto").await;

    let is_gone = |stranger: &TcpStream| matches!(stranger.try_read(&mut [0; 64]), Ok(0));
    let gone = strangers.iter().filter(|stranger| is_gone(stranger)).count();
    assert!((1..=8).contains(&gone), "{gone} had to go for one");
}
