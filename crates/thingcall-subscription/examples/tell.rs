//! The machines behind plain sockets, for consumers to be tried against: `tell PROTOCOL ADDRESS NOTICES BYTES`. Every
//! consumer that signs with `testsecret` gets so many notices of so many bytes; what comes back goes around again.
#![allow(clippy::print_stdout, reason = "it is how an example speaks")]

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use thingcall_subscription::{Decision, DeliveryId, Event, Limits, Machine, Notice, User, amqp, stomp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until, timeout};

/// What is left to tell, and what is out.
struct Source {
    waiting: VecDeque<(usize, u32)>,
    out: HashMap<DeliveryId, (usize, u32)>,
    body: Vec<u8>,
    accepted: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize, otherwise: &str| words.get(at).cloned().unwrap_or_else(|| otherwise.to_owned());
    let (protocol, address) = (word(0, "amqp"), word(1, "127.0.0.1:0"));
    let notices: usize = word(2, "10").parse().unwrap_or(10);
    let bytes: usize = word(3, "200").parse().unwrap_or(200);
    let listener = TcpListener::bind(&address).await?;
    println!("ready {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let source = Source {
            waiting: (0..notices).map(|number| (number, 0)).collect(),
            out: HashMap::new(),
            body: vec![b'x'; bytes],
            accepted: 0,
        };
        let machine = machine(&protocol);
        drop(tokio::spawn(async move {
            let end = serve(socket, machine, source).await;
            println!("socket {end:?}");
        }));
    }
}

fn machine(protocol: &str) -> Box<dyn Machine> {
    if protocol == "stomp" { stomp(Limits::default()) } else { amqp(Limits::default()) }
}

/// The calling sequence of a machine: events after every call, then notices, then output; input where it is wanted.
async fn serve(mut socket: TcpStream, mut machine: Box<dyn Machine>, mut source: Source) -> std::io::Result<()> {
    let start = Instant::now();
    let mut bytes = vec![0; 8192];
    loop {
        events(machine.as_mut(), &mut source, start.elapsed());
        tell(machine.as_mut(), &mut source, start.elapsed());
        if machine.is_over() {
            break;
        }
        let due = machine.next_tick().map_or(start + Duration::from_secs(3600), |due| start + due);
        let (wants_input, has_output) = (machine.wants_input(), !machine.output().is_empty());
        let (mut reader, mut writer) = socket.split();
        tokio::select! {
            read = reader.read(&mut bytes), if wants_input => match read {
                Ok(read @ 1..) => machine.receive(bytes.get(..read).unwrap_or_default(), start.elapsed()),
                Ok(0) | Err(_) => machine.disconnected(),
            },
            written = writer.write(machine.output()), if has_output => match written {
                Ok(written) => machine.written(written, start.elapsed()),
                Err(_) => machine.disconnected(),
            },
            () = sleep_until(due) => machine.tick(start.elapsed()),
        }
    }
    events(machine.as_mut(), &mut source, start.elapsed());
    println!("accepted {} out {}", source.accepted, source.out.len());
    socket.write_all(machine.output()).await?;
    socket.shutdown().await?;
    // What the peer still sends is read, so that it can read our last words.
    while let Ok(Ok(1..)) = timeout(Duration::from_secs(2), socket.read(&mut bytes)).await {}
    Ok(())
}

fn events(machine: &mut dyn Machine, source: &mut Source, now: Duration) {
    while let Some(event) = machine.next_event() {
        match event {
            Event::Authenticate { user, password } => {
                let decision = match User::read(&user) {
                    Ok(named) if named.proves(password.as_bytes(), b"testsecret") => Decision::Accepted(named.body),
                    Ok(named) if named.key_id == "unavailable" => Decision::Unavailable,
                    Ok(_) | Err(_) => Decision::Refused,
                };
                println!("login {user:?} {decision:?}");
                machine.authenticated(decision, now);
            }
            Event::Settled { delivery, outcome } => {
                let Some((number, tries)) = source.out.remove(&delivery) else { continue };
                if outcome.is_done() {
                    source.accepted += 1;
                } else {
                    println!("{number} came back: {outcome:?}");
                    source.waiting.push_back((number, tries + 1));
                }
            }
            other @ (Event::Attached | Event::Detached | Event::Late { .. } | Event::Closed(_)) => {
                println!("{other:?}")
            }
        }
    }
}

fn tell(machine: &mut dyn Machine, source: &mut Source, now: Duration) {
    while machine.room() > 0 {
        let Some((number, tries_before)) = source.waiting.pop_front() else {
            machine.nothing_to_send(now);
            break;
        };
        let id = format!("{}", 1_000_000_000_000_000_000 + number);
        let topic = "/a1B2c3/lamp/thing/event/property/post";
        let (generated_ms, body) = (1_700_000_000_123, &source.body);
        let notice = Notice { id: &id, topic, generated_ms, tries_before, body, trace: None };
        match machine.send(&notice, now) {
            Ok(delivery) => drop(source.out.insert(delivery, (number, tries_before))),
            Err(error) => println!("{number}: {error}"),
        }
    }
}
