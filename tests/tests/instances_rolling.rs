//! Instances are replaced one after the other, beside a schema of the next release, while calls go on.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use thingcall_tests::{
    App, Caller, Credential, Database, DeviceSecrets, Key, MqttDevice, Postgres, Sdk, Site, TIMEOUT, eventually,
    invocation, program,
};

const SERVICE: &str = "testFb:testService";
const CALLERS: usize = 4;

/// What a load balancer does: it knows who is ready, and asks the next one where nobody listens.
struct Balancer(Mutex<Vec<SocketAddr>>);

impl Balancer {
    fn all(&self) -> Vec<SocketAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, address: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(address);
    }

    fn take_out(&self, address: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| *one != address);
    }

    /// Sends a signed request to one of them; what it answered, and who it was.
    fn send(&self, seq: usize, path: &str) -> (SocketAddr, String) {
        let mut turn = seq;
        eventually("somebody listens", || {
            let all = self.all();
            turn += 1;
            let address = *all.get(turn % all.len().max(1))?;
            let mut stream = match TcpStream::connect(address) {
                Ok(stream) => stream,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return None,
                Err(error) => panic!("{address}: {error}"),
            };
            stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
            let request =
                format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("the request can be sent");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("an answer");
            Some((address, text))
        })
    }
}

/// A device that answers whatever it is called for, and its callers.
struct Load<'a> {
    key: &'a Key,
    broker: SocketAddr,
    device: &'a DeviceSecrets,
    balancer: &'a Balancer,
    called: AtomicUsize,
    callers_end: AtomicBool,
    device_ends: AtomicBool,
}

impl Load<'_> {
    /// Calls without a pause; each must succeed.
    fn call(&self) {
        let sign = |param: usize| {
            // Nothing is sent there.
            let caller = Caller { endpoint: self.broker, key: self.key, sdk: Sdk::SignOnly };
            let args = json!({ "param1": param }).to_string();
            App::get().begin(&caller, "InvokeThingService", &invocation(self.device, SERVICE, &args))
        };
        while !self.callers_end.load(Ordering::SeqCst) {
            let signed: Vec<_> = (0..20).map(sign).collect();
            for signed in signed {
                let turn = self.called.load(Ordering::SeqCst);
                let (address, answer) = self.balancer.send(turn, signed.answer().text());
                assert!(answer.contains(r#""Success":true"#), "{address}, call {turn}: {answer}");
                self.called.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn answer(&self) {
        let DeviceSecrets { product, name, .. } = self.device;
        let connected = MqttDevice::connect(self.broker, &Credential::of(self.device, None));
        assert!(connected.subscribe(&format!("/ext/rrpc/+/sys/{product}/{name}/thing/service/+")));
        while !self.device_ends.load(Ordering::SeqCst) {
            let Some(seen) = connected.try_next() else {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            };
            connected.acknowledge(&seen);
            // Its own answers come on the same topic.
            if seen.body.get("method").is_none() {
                continue;
            }
            connected.publish(&seen.topic, &seen.answer(&seen.body["params"]));
        }
    }

    /// Waits until it was seen to go on.
    fn goes_on(&self) {
        let before = self.called.load(Ordering::SeqCst);
        eventually("calls go on", || (self.called.load(Ordering::SeqCst) >= before + 50).then_some(()));
    }

    /// Runs it while `meanwhile` does, and ends it however that ended.
    fn during(&self, meanwhile: impl FnOnce()) {
        struct Ends<'a>(&'a AtomicBool);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        std::thread::scope(|scope| {
            let _device_ends = Ends(&self.device_ends);
            scope.spawn(|| self.answer());
            std::thread::scope(|scope| {
                let _callers_end = Ends(&self.callers_end);
                (0..CALLERS).for_each(|_| drop(scope.spawn(|| self.call())));
                meanwhile();
            });
        });
    }
}

/// Ends an instance as a deployment does, and has it back.
fn replace(site: &mut Site, balancer: &Balancer) {
    site.program.terminate();
    eventually("it says that it ends", || (site.program.operator("/readyz").0 == 503).then_some(()));
    balancer.take_out(site.program.addresses.api);
    assert!(site.program.ended().success(), "{}", site.program.log());
    site.start_again();
    site.is_ready();
    balancer.put(site.program.addresses.api);
}

/// The schema of a release that does not exist yet: it only adds, so that this one works with it.
fn next_schema(database: &Database) {
    database.sql(
        "ALTER TABLE devices ADD COLUMN of_the_next TEXT NOT NULL DEFAULT 'x'; \
         ALTER TABLE calls ADD COLUMN of_the_next BIGINT; \
         CREATE TABLE of_the_next (id BIGINT PRIMARY KEY); \
         INSERT INTO thingcall_schema (version, usable_from, program) \
         SELECT max(version) + 1, max(version), 'the next release' FROM thingcall_schema",
    );
}

/// What a server says that must not start on this database.
fn refused(database: &Database) -> String {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let mut serve = Command::new("timeout");
    serve.arg("60").arg(program()).args(["serve", "--api", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--data"]);
    serve.arg(folder.path().join("data")).env("THINGCALL__BROKER__ENABLED", "false");
    let output = serve.env("THINGCALL__STORE__URL", database.url()).output().expect("timeout is installed");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn instances_are_replaced_one_after_the_other_beside_the_next_schema_and_no_call_fails() {
    let database = Postgres::shared().database();
    let mut first = Site::sharing(&database, &[("API__CALLS_PER_SECOND_MAX", "0"), ("SHUTDOWN__READY_PAUSE", "2s")]);
    let mut second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    let (device, key) = (first.device("rolled"), first.key.clone());
    let balancer = Balancer(Mutex::new(vec![first.program.addresses.api, second.program.addresses.api]));
    let load = Load {
        key: &key,
        broker: first.broker(),
        device: &device,
        balancer: &balancer,
        called: AtomicUsize::new(0),
        callers_end: AtomicBool::new(false),
        device_ends: AtomicBool::new(false),
    };

    load.during(|| {
        load.goes_on();
        replace(&mut first, &balancer);
        load.goes_on();
        // What the first instance of the next release does at its start, while one of this release runs on.
        next_schema(&database);
        replace(&mut second, &balancer);
        replace(&mut first, &balancer);
        load.goes_on();
        second.device("made-beside");
        let late = first.ask("InvokeThingService", &invocation(&device, "SetScene", r#"{"scene":1}"#)).ok().message_id();
        second.command_json(&["explain", &late]);

        // The release after that takes the last support of this one away: who runs is left alone, nobody new comes.
        database.sql("UPDATE thingcall_schema SET usable_from = version WHERE version = (SELECT max(version) FROM thingcall_schema)");
        let said = refused(&database);
        assert!(said.contains("schema version") && said.contains("or another database"), "{said}");
        load.goes_on();
    });
}
