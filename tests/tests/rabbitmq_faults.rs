//! Bad days: the wire to RabbitMQ is cut, its connections are closed, and it dies, each in the middle of 500 calls a
//! second. Then every call is accounted for.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use thingcall_tests::{
    AmqpDevice, Answer, Behaviour, DeviceSecrets, LinkkitDevice, Load, Proxy, RabbitMq, Site, eventually,
};

const CALLS_PER_SECOND: u32 = 500;
/// The calls of a second, more or less.
const SOME: usize = 500;
/// Every so manieth call of a device is asynchronous.
const ASYNC_EVERY: usize = 5;

/// Too many messages wait for the broker: nothing was sent.
const BUSY: &str = "iot.messagebroker.RateLimit";
/// What calls may fail with.
const CODES: [&str; 4] =
    ["iot.messagebroker.RrpcException", "iot.messagebroker.OFFLINE", "iot.messagebroker.TIMEOUT", BUSY];

/// Devices that come back by themselves whenever their connection ends.
struct Devices {
    amqp: Vec<(DeviceSecrets, AmqpDevice)>,
    mqtt: (DeviceSecrets, LinkkitDevice),
}

/// What a device was called for: the call's number, by the command's id.
type Called = HashMap<String, usize>;

impl Devices {
    fn connect(site: &Site) -> Self {
        let amqp = (0..4).map(|number| {
            let device = site.device(&format!("faults-{number}"));
            let connected = AmqpDevice::connect(site.amqp(), &device);
            connected.answers(200, &measured());
            (device, connected)
        });
        let amqp = amqp.collect();
        let device = site.device("faults-mqtt");
        let behaviour = Behaviour { subscribes: true, leaves: false };
        let connected = LinkkitDevice::connect(site.broker(), &device, behaviour);
        connected.answers(200, &measured());
        Self { amqp, mqtt: (device, connected) }
    }

    fn all(&self) -> Vec<&DeviceSecrets> {
        self.amqp.iter().map(|(device, _)| device).chain([&self.mqtt.0]).collect()
    }

    /// All that they were called for until the last call, which each of them has answered, and which is not in it.
    ///
    /// # Panics
    /// If one was called twice for the same.
    fn called(&self, last: usize) -> Called {
        let mut all = Called::new();
        let mut numbers = BTreeMap::new();
        let mut keep = |event: Value| {
            let id = event["id"].as_str().expect("an id").to_owned();
            let number = number_of(&event["params"]);
            if number == last {
                return false;
            }
            assert_eq!(all.insert(id, number), None, "a command came twice: {event}");
            assert_eq!(numbers.insert(number, ()), None, "a call came twice: {event}");
            true
        };
        for (_, device) in &self.amqp {
            while keep(device.called()) {}
        }
        while keep(self.mqtt.1.called()) {}
        all
    }
}

/// What they answer.
fn measured() -> Value {
    json!({ "mean": 1.5, "samples": [] })
}

/// The call of this number: its device, service and arguments.
fn call<'a>(devices: &[&'a DeviceSecrets], number: usize) -> (&'a DeviceSecrets, &'static str, String) {
    let device = devices[number % devices.len()];
    if is_async(devices.len(), number) {
        (device, "SetScene", json!({ "label": number.to_string() }).to_string())
    } else {
        (device, "Measure", json!({ "window": { "from": number, "to": 0 } }).to_string())
    }
}

fn is_async(devices: usize, number: usize) -> bool {
    (number / devices) % ASYNC_EVERY == ASYNC_EVERY - 1
}

/// The number of the call that a device got.
fn number_of(params: &Value) -> usize {
    let label = params["label"].as_str().and_then(|label| label.parse().ok());
    let number = label.or_else(|| usize::try_from(params["window"]["from"].as_u64()?).ok());
    number.unwrap_or_else(|| panic!("no number: {params}"))
}

/// How calls ended: how many, by what their callers were told.
#[derive(Debug, Default)]
struct Account(BTreeMap<String, usize>);

impl Account {
    fn count(&mut self, what: &str) {
        *self.0.entry(what.to_owned()).or_default() += 1;
    }

    fn of(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or_default()
    }
}

/// Checks what each caller was told against what the devices got.
fn account(answers: &[(usize, Answer)], called: &Called) -> Account {
    let executed: BTreeMap<usize, &String> = called.iter().map(|(id, number)| (*number, id)).collect();
    let mut account = Account::default();
    for (number, answer) in answers {
        let command = executed.get(number);
        if answer.succeeded() && answer.at("Data.Result").is_string() {
            assert_eq!(answer.result()["code"], 200, "{answer:?}");
            assert_eq!(command, Some(&&answer.message_id()), "call {number} is answered by nobody: {answer:?}");
            account.count("answered");
        } else if answer.succeeded() {
            assert!(command.is_none_or(|id| **id == answer.message_id()), "call {number}: {answer:?}");
            account.count("accepted");
        } else {
            let (code, text) = answer.failure();
            assert!(CODES.contains(&code), "call {number}: {answer:?}");
            let sent = code != BUSY && !text.contains("not sent");
            assert!(sent || command.is_none(), "call {number} was executed, and its caller told {text:?}");
            assert!(!sent || text.contains("may have executed"), "call {number}: {answer:?}");
            account.count(&format!("{code}, {}", if sent { "may have executed" } else { "not sent" }));
        }
    }
    account
}

/// A site for such a day, with a wire that can be cut.
fn site() -> (Site, Proxy) {
    let rabbitmq = RabbitMq::start();
    let proxy = Proxy::to(rabbitmq.amqp());
    let url = format!("amqp://{}", proxy.address());
    let site = Site::behind(
        rabbitmq,
        &[("AMQP__URL", &url), ("API__CALLS_PER_SECOND_MAX", "0"), ("AMQP__RECONNECT_PAUSE_MAX", "500ms")],
    );
    (site, proxy)
}

/// Makes calls while `fault` does its worst, then sees that all is well again and accounts for every call.
fn survive(site: &mut Site, seconds: usize, fault: impl FnOnce(&mut Site, &Load)) -> Account {
    let devices = Devices::connect(site);
    let all = devices.all();
    let rate = usize::try_from(CALLS_PER_SECOND).expect("a small number");
    let calls = seconds * rate;
    let paths = site.signed((0..calls).map(|number| call(&all, number)));
    let load = Load::start(site.program.addresses.api, paths, CALLS_PER_SECOND);

    fault(site, &load);

    let answers = load.end();
    for device in &all {
        let last = json!({ "window": { "from": calls, "to": 0 } }).to_string();
        eventually(&format!("{} is called again", device.name), || {
            site.invoke(device, "Measure", &last).succeeded().then_some(())
        });
    }
    let called = devices.called(calls);
    let account = account(&answers, &called);
    nothing_is_left(site, &answers, &all);
    account
}

/// No call waits, none is missing in the metrics, and no asynchronous one ended well without its device.
fn nothing_is_left(site: &Site, answers: &[(usize, Answer)], devices: &[&DeviceSecrets]) {
    eventually("nothing waits", || {
        let metrics = site.program.metrics();
        let waiting = metrics.sum("thingcall_pending_calls", &[])
            + metrics.sum("thingcall_pending_oldest_timestamp_seconds", &[])
            + metrics.sum("thingcall_transport_send_queue_length", &[r#"transport="amqp""#]);
        (waiting == 0.0).then_some(())
    });
    let made = answers.iter().filter(|(number, _)| !is_async(devices.len(), *number)).count();
    let counted = site.program.metrics().sum("thingcall_calls_total", &[r#"mode="sync""#]);
    // Those that saw that all is well again are counted too.
    assert!(counted >= made as f64 + devices.len() as f64, "{counted} of {made} calls are counted");
}

#[test]
fn every_call_is_accounted_for_when_connections_are_cut_and_closed() {
    let (mut site, proxy) = site();

    let account = survive(&mut site, 20, |site, load| {
        for _ in 0..3 {
            load.goes_on(SOME);
            proxy.cut();
            site.is_ready();
        }
        site.rabbitmq.as_ref().expect("this site has one").close_connections();
        load.goes_on(SOME);
        proxy.cut();
        site.is_ready();
        load.goes_on(SOME);
    });

    assert!(account.of("answered") > 0 && account.of("accepted") > 0, "{account:?}");
}

#[test]
fn every_call_is_accounted_for_when_rabbitmq_dies_and_comes_back() {
    let (mut site, _proxy) = site();

    let account = survive(&mut site, 20, |site, load| {
        load.goes_on(2 * SOME);
        let rabbitmq = site.rabbitmq.as_mut().expect("this site has one");
        rabbitmq.kill();
        rabbitmq.start_again();
        site.is_ready();
        load.goes_on(2 * SOME);
    });

    assert!(account.of("answered") > 0, "{account:?}");
    assert!(account.of("iot.messagebroker.RrpcException, not sent") > 0, "{account:?}");
}
