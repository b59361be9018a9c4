//! What is said of a broker that holds the connection and does nothing with it.

use std::pin::pin;

use super::broker::Session;
use super::*;

const TOPIC: &str = "/sys/thingcall/probe/thing/service/probe";

/// Probes that are lost after this time, and sent as often.
fn probed(broker: &Broker, lost_after: Duration) -> Bench {
    Bench::start(broker, |config| {
        config.probe = true;
        config.probe_interval = lost_after;
        config.probe_timeout = lost_after;
        config.publish_ack_timeout = Duration::from_millis(300);
    })
}

/// Lets it in and takes its subscription to the probe.
async fn let_in(broker: &Broker, granted: u8) -> Session {
    let mut session = broker.let_in().await;
    session.answer_subscription(&[granted]).await;
    session
}

/// Answers every probe until this is so: one that a busy machine kept waiting is followed by the next.
async fn answering<T>(session: &mut Session, allowed: bool, until: impl Future<Output = T>) -> T {
    let mut until = pin!(until);
    loop {
        tokio::select! {
            biased;
            so = &mut until => return so,
            () = session.readable() => {
                let probe = session.packet().await;
                session.bring_back(&probe, allowed).await;
            }
        }
    }
}

impl Bench {
    async fn fails_for(&self, word: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let failure = self.transport.failure();
            match failure {
                Some(why) if why.contains(word) => return why,
                _ => assert!(Instant::now() < deadline, "{failure:?} says nothing of {word}"),
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_broker_is_ready_once_a_probe_came_back() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let bench = probed(&broker, PATIENCE);
        let mut session = let_in(&broker, 1).await;
        let probe = session.packet().await;
        assert!(probe.kind == PUBLISH && probe.flags == 2 && probe.holds(TOPIC), "{probe:?}");
        assert!(!bench.transport.ready());
        assert_eq!(bench.metric("up", ""), 0.0);
        session.bring_back(&probe, true).await;
        bench.ready().await;
        assert_eq!((bench.metric("up", ""), bench.metric("unacknowledged_length", "")), (1.0, 0.0));
        assert_eq!(bench.metric("published_total", "acked"), 0.0, "a probe is no message to a device");
    }
}

#[tokio::test]
async fn a_broker_that_hangs_is_not_ready_until_it_answers() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let bench = probed(&broker, Duration::from_millis(200));
        let mut session = let_in(&broker, 1).await;
        answering(&mut session, true, bench.ready()).await;
        bench.fails_for("answers no probe").await;
        assert_eq!((bench.transport.ready(), bench.metric("up", "")), (false, 0.0));
        assert!(bench.metric("unacknowledged_oldest_seconds", "") > 0.0);
        answering(&mut session, true, bench.ready()).await;
    }
}

#[tokio::test]
async fn a_broker_that_forbids_the_probe_is_ready_when_a_device_answers() {
    for version in VERSIONS {
        for granted in [1, 0x80] {
            let broker = Broker::start(version).await;
            let bench = probed(&broker, Duration::from_millis(200));
            let mut session = let_in(&broker, granted).await;
            let why = answering(&mut session, false, bench.fails_for("access rules")).await;
            assert!(why.contains(TOPIC) && why.contains("probe_topic"), "{why}");
            session.publish("/sys/pk/d1/rrpc/response/2", br#"{"id":"2","code":200}"#).await;
            answering(&mut session, false, bench.ready()).await;
        }
    }
}

#[tokio::test]
async fn an_answer_from_before_the_rules_were_changed_makes_no_broker_ready() {
    let broker = Broker::start(Version::V4).await;
    let bench = probed(&broker, Duration::from_millis(200));
    let mut session = let_in(&broker, 1).await;
    session.publish("/sys/pk/d1/rrpc/response/2", br#"{"id":"2","code":200}"#).await;
    answering(&mut session, true, bench.ready()).await;
    answering(&mut session, false, bench.fails_for("access rules")).await;
    session.publish("/sys/pk/d1/rrpc/response/3", br#"{"id":"3","code":200}"#).await;
    answering(&mut session, false, bench.ready()).await;
}

#[tokio::test]
async fn a_message_that_is_not_acknowledged_is_told_with_its_age() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let bench = Bench::start(&broker, |config| config.publish_ack_timeout = Duration::from_millis(200));
        let mut session = broker.let_in().await;
        bench.ready().await;
        let mut call = delivery(1, Qos::AtLeastOnce);
        call.deadline = None;
        assert_eq!(bench.deliver(&call).await, Err(DeliverError::Lost));
        let publish = session.packet().await;
        bench.fails_for("has not acknowledged").await;
        assert_eq!(bench.metric("unacknowledged_length", ""), 1.0, "its caller gave it up, the broker did not");
        let [high, low] = publish.id();
        session.send(&[0x40, 2, high, low]).await;
        bench.ready().await;
        assert_eq!(bench.metric("unacknowledged_length", ""), 0.0);
    }
}

#[tokio::test]
async fn a_message_whose_answer_overtakes_its_acknowledgement_is_counted() {
    let broker = Broker::start(Version::V4).await;
    let bench = Bench::start(&broker, |_| {});
    let mut session = broker.let_in().await;
    bench.ready().await;
    let call = delivery(1, Qos::AtLeastOnce);
    tokio::select! {
        sent = bench.deliver(&call) => panic!("{sent:?}"),
        publish = session.packet() => assert!(publish.holds("request/1")),
    }
    assert_eq!(bench.metric("published_total", "sent"), 1.0);
}
