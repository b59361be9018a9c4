//! What a service manager is told of a server, in systemd's words (`sd_notify`): that it is ready, reloads, stops, is well, and lives.
//!
//! **Invariant:** `WATCHDOG=1` is sent only after a task of its own ran on the runtime's workers and looked through the engine: where
//! neither turns, nothing is sent, and the manager starts the server anew.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use thingcall_engine::Engine;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::readiness::Readiness;

/// How often it is looked whether what is told of the server is another.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest line that is told.
const STATUS_CHARS_MAX: usize = 400;

/// What was told so far. Where no manager listens, nothing is told.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    ready: AtomicBool,
    failed: AtomicBool,
}

impl Notifier {
    /// All listeners answer.
    pub(crate) fn ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
        self.tell(&[NotifyState::Ready]);
    }

    /// The configuration is read anew; until the end of what is returned.
    pub(crate) fn reloading(self: &Arc<Self>) -> Reloading {
        // Before it was ready, the end of a reload would say that it is.
        let told = self.ready.load(Ordering::Relaxed);
        if let (true, Ok(now)) = (told, NotifyState::monotonic_usec_now()) {
            self.tell(&[NotifyState::Reloading, now]);
        }
        Reloading(told.then(|| self.clone()))
    }

    /// It ends.
    pub(crate) fn stopping(&self) {
        self.ready.store(false, Ordering::Relaxed);
        self.tell(&[NotifyState::Stopping]);
    }

    /// Tells how the server is, and that it lives, for as long as it is polled.
    pub(crate) async fn follow(self: Arc<Self>, readiness: Readiness, engine: Arc<Engine>) {
        let every = sd_notify::watchdog_enabled().map(|within| within / 2);
        let (mut told, mut beaten) = (String::new(), Instant::now());
        loop {
            let status = line(&readiness);
            if status != told {
                self.tell(&[NotifyState::Status(&status)]);
                told = status;
            }
            if every.is_some_and(|every| beaten.elapsed() + LOOK_EVERY.min(every) > every) && turns(&engine).await {
                beaten = Instant::now();
                self.tell(&[NotifyState::Watchdog]);
            }
            sleep(every.map_or(LOOK_EVERY, |every| LOOK_EVERY.min(every))).await;
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        let manager = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        if let Some(Err(error)) = manager.map(|manager| send(&manager, states))
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            warn!(%error, "the service manager cannot be told how this server is");
        }
    }
}

/// Never waits: a manager that does not read holds up nobody. A name that begins with `@` is one of no file.
fn send(manager: &OsString, states: &[NotifyState<'_>]) -> io::Result<()> {
    let address = match manager.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(manager)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let lines: Vec<_> = states.iter().map(ToString::to_string).collect();
    socket.send_to_addr(lines.join("\n").as_bytes(), &address).map(drop)
}

/// The manager is told that the server is ready again when this is dropped.
#[derive(Debug)]
pub(crate) struct Reloading(Option<Arc<Notifier>>);

impl Drop for Reloading {
    fn drop(&mut self) {
        if let Some(notifier) = self.0.take().filter(|notifier| notifier.ready.load(Ordering::Relaxed)) {
            notifier.ready();
        }
    }
}

/// Whether the runtime's workers take a task up, and the engine can be looked through.
async fn turns(engine: &Arc<Engine>) -> bool {
    let engine = engine.clone();
    tokio::spawn(async move { engine.refresh_metrics() }).await.is_ok()
}

/// How the server is, in one line.
fn line(readiness: &Readiness) -> String {
    let (_, told) = readiness.told();
    let told = told.trim_end().replacen("ready\n", "ready, but ", 1).replace('\n', "; ");
    told.chars().take(STATUS_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    //! The line.

    use prometheus::Registry;
    use thingcall_core::Weight;

    use super::*;

    #[test]
    fn a_manager_that_does_not_read_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let sent = |name: &OsString| send(name, &[NotifyState::Ready, NotifyState::Status("x")]);
        let full = (0..100_000).find_map(|_| sent(&path.clone().into()).err()).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let mut text = [0; 64];
        let length = manager.recv(&mut text).unwrap();
        assert_eq!(&text[..length], b"READY=1\nSTATUS=x");

        let name = format!("thingcall-test-{}", std::process::id());
        let abstract_one = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        sent(&format!("@{name}").into()).unwrap();
        assert_eq!(abstract_one.recv(&mut text).unwrap(), length);
    }

    #[tokio::test]
    async fn how_the_server_is_stands_in_one_line_that_is_not_too_long() {
        let readiness = Readiness::new(&Registry::new()).unwrap();
        assert!(line(&readiness).starts_with("serving: the server starts, since "), "{}", line(&readiness));
        readiness.serves();
        assert_eq!(line(&readiness), "ready");
        let told = readiness.conditions().add("shared quota", Weight::Told);
        told.fails("nobody answers");
        assert!(
            line(&readiness).starts_with("ready, but shared quota: nobody answers, since "),
            "{}",
            line(&readiness)
        );
        told.fails("x".repeat(1000));
        assert_eq!(line(&readiness).chars().count(), STATUS_CHARS_MAX);
    }
}
