//! A real PostgreSQL for tests: Debian's, in a scratch folder, on a free port, and gone with whoever started it.
//!
//! **Invariants:** it runs as a user without rights, since it refuses root. It never outlives the test run, however that
//! ends. What is committed outlives the server, not the machine, unless the test is about that.

#![allow(clippy::expect_used, clippy::panic, reason = "what goes wrong in a harness ends the test")]

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use test_ports::free_port;
use tokio::time::Instant;

mod dump;
mod tls;

pub use tls::Certificates;

/// Far more than anything here needs, also on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);
/// As whom it runs where the tests run as root.
const USER: &str = "nobody";
/// Its superuser, and the superuser's password.
const NAME: &str = "postgres";
const PASSWORD: &str = "postgres's-own-0123456789";

/// The one that all tests of this program share.
static SHARED: LazyLock<Postgres> = LazyLock::new(Postgres::start);

/// A PostgreSQL of a test's own.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    folder: TempDir,
    server: Mutex<Option<Child>>,
    guard: Guard,
    databases: AtomicU64,
}

/// A database in it, empty at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    port: u16,
    name: String,
}

impl Postgres {
    /// The one that all tests of this program share; who stops or restarts it starts another.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// Starts one; when this returns, it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        Self::start_with("fsync = off\nfull_page_writes = off\n")
    }

    /// The same with these settings.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with(settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir().expect("a scratch folder");
        let port = free_port();
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("the scratch folder can be written");
        give(folder.path());
        let guard = Guard::over(folder.path());
        let mut this = Self { port, folder, server: Mutex::new(None), guard, databases: AtomicU64::new(0) };
        let initdb = this
            .command("initdb")
            .args(["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--auth=scram-sha-256", "--username", NAME, "--pwfile"])
            .arg(&password)
            .arg("--pgdata")
            .arg(this.data())
            .output()
            .expect("initdb starts");
        assert!(initdb.status.success(), "initdb: {}", String::from_utf8_lossy(&initdb.stderr));
        this.configure(settings);
        this.start_again();
        this
    }

    fn configure(&mut self, settings: &str) {
        let mut text = String::new();
        let folder = self.folder.path().display();
        writeln!(text, "listen_addresses = '127.0.0.1'\nport = {}", self.port).expect("a String takes all");
        writeln!(text, "unix_socket_directories = '{folder}'\nmax_connections = 300").expect("a String takes all");
        writeln!(text, "shared_buffers = 32MB\nautovacuum_naptime = 5s\n{settings}").expect("a String takes all");
        let certificates = Certificates::make(self.folder.path());
        let (cert, key) = (certificates.server.display(), certificates.server_key.display());
        writeln!(text, "ssl = on\nssl_cert_file = '{cert}'\nssl_key_file = '{key}'").expect("a String takes all");
        give(&certificates.server_key);
        let file = self.data().join("conf.d");
        std::fs::create_dir(&file).expect("a folder");
        std::fs::write(file.join("test.conf"), text).expect("the scratch folder can be written");
        for path in [file.join("test.conf"), file] {
            give(&path);
        }
        let all = self.data().join("postgresql.conf");
        let before = std::fs::read_to_string(&all).expect("initdb made it");
        std::fs::write(&all, before + "\ninclude_dir = 'conf.d'\n").expect("the scratch folder can be written");
    }

    /// Starts it on the same port with the same data, after [`Self::kill`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&self) {
        let log = self.folder.path().join("log");
        let file = std::fs::File::options().create(true).append(true).open(log).expect("the log can be written");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).stdin(Stdio::null());
        command.stdout(file.try_clone().expect("a file can be had twice")).stderr(file);
        let child = command.spawn().expect("postgres starts");
        self.guard.now(child.id());
        *self.lock() = Some(child);
        self.eventually("it answers", || self.ready().then_some(()));
    }

    fn ready(&self) -> bool {
        if let Some(child) = &mut *self.lock()
            && let Ok(Some(status)) = child.try_wait()
        {
            panic!("postgres ended: {status}\n{}", self.log());
        }
        let mut ready = Command::new(program("pg_isready"));
        ready.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q"]);
        ready.status().is_ok_and(|status| status.success())
    }

    /// Ends it at once, as a crash does: the next start recovers.
    pub fn kill(&self) {
        self.stop(Signal::QUIT);
    }

    /// Ends it in order, without waiting for clients.
    pub fn end(&self) {
        self.stop(Signal::INT);
    }

    fn stop(&self, signal: Signal) {
        let Some(mut child) = self.lock().take() else { return };
        let _gone = kill_process(pid(child.id()), signal);
        self.eventually("it ends", || child.try_wait().expect("a child can be waited for"));
    }

    /// Stops it in its tracks, with all that it started: its clients hear nothing.
    pub fn pause(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets it go on, after [`Self::pause`].
    pub fn resume(&self) {
        self.signal_all(Signal::CONT);
    }

    /// Each of its processes is a group of its own.
    fn signal_all(&self, signal: Signal) {
        let server = self.lock().as_ref().expect("it runs").id();
        kill_process(pid(server), signal).expect("it runs");
        for child in children(server) {
            // It may have ended meanwhile.
            let _gone = kill_process(pid(child), signal);
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The folder of its socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The authority that signed its certificate, which is for `localhost` alone.
    pub fn authority(&self) -> PathBuf {
        Certificates::authority(self.folder.path())
    }

    /// A new database that nobody else has.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn database(&self) -> Database {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        Database { port: self.port, name }
    }

    /// What `psql` prints for these statements in this database: columns parted by `|`.
    ///
    /// # Panics
    /// If one fails.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        sql(self.port, database, statements)
    }

    /// All that it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, name: &str) -> Command {
        let mut command = as_nobody(&program(name));
        command.current_dir(self.folder.path()).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        command
    }

    fn eventually<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(Instant::now() < deadline, "not within {TIMEOUT:?}: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.server.lock().expect("nobody panicked")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.lock().is_some() {
            self.resume();
            self.kill();
        }
    }
}

impl Database {
    /// Where a client finds it, with the password.
    pub fn url(&self) -> String {
        format!("postgres://{NAME}:{PASSWORD}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// The same without the password.
    pub fn url_without_password(&self) -> String {
        self.url().replace(&format!(":{PASSWORD}"), "")
    }

    /// The password.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `psql` prints for these statements: columns parted by `|`.
    ///
    /// # Panics
    /// If one fails.
    pub fn sql(&self, statements: &str) -> String {
        sql(self.port, &self.name, statements)
    }
}

fn sql(port: u16, database: &str, statements: &str) -> String {
    let mut psql = Command::new(program("psql"));
    psql.args(["-h", "127.0.0.1", "-U", NAME, "-p", &port.to_string(), "-d", database]);
    psql.args(["-v", "ON_ERROR_STOP=1", "-X", "-q", "-A", "-t", "-c", statements]).env("PGPASSWORD", PASSWORD);
    let output = psql.output().expect("psql starts");
    assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Debian keeps a server's programs out of the path: those of the newest version that is there.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    let newest = newest.expect("PostgreSQL is installed; `tests/run` does that");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin/{name}"))
}

/// A command of the user without rights, if we are root.
fn as_nobody(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let (user, group) = nobody();
    command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups").arg(program);
    command
}

/// Makes a file or folder that user's own.
fn give(path: &Path) {
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("it is ours");
    if geteuid().is_root() {
        let (user, group) = nobody();
        chown(path, Some(user), Some(group)).expect("root may give it away");
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            chown(entry.path(), Some(user), Some(group)).expect("root may give it away");
        }
    }
}

fn nobody() -> (u32, u32) {
    let id = |flag| {
        let output = Command::new("id").args([flag, USER]).output().expect("id starts");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
    };
    (id("-u"), id("-g"))
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("a process's number")).expect("a process's number")
}

fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |stat: &str| stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok();
    let all = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    all.filter(|id| std::fs::read_to_string(format!("/proc/{id}/stat")).ok().as_deref().and_then(of) == Some(parent))
        .collect()
}

/// Ends the server and removes its folder when this process is gone, however it ended: what is in a `static` is never
/// dropped.
#[derive(Debug)]
struct Guard(Mutex<Child>);

/// Reads process numbers, the newest counts, until whoever writes them is gone. First a crash's signal, on which the server
/// gives back what it has of the system.
const GUARD: &str = r#"while read -r pid; do last=$pid; done
children=$(ps -o pid= --ppid "$last")
kill -s QUIT "$last" 2>/dev/null
kill -s CONT "$last" $children 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 "$last" 2>/dev/null || break; sleep 0.5; done
kill -s KILL "$last" $children 2>/dev/null
rm -rf -- "$1""#;

impl Guard {
    fn over(folder: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).arg(folder).stdin(Stdio::piped());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(Mutex::new(child.expect("sh starts")))
    }

    fn now(&self, id: u32) {
        use std::io::Write;
        let mut guard = self.0.lock().expect("nobody panicked");
        writeln!(guard.stdin.as_mut().expect("stdin is piped"), "{id}").expect("the guard reads");
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // First the guard, then its stdin: it must not end a newer process with the same number.
        let mut guard = self.0.lock().expect("nobody panicked");
        let _gone = guard.kill();
        let _status = guard.wait();
    }
}
