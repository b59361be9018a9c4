//! The proxies of `deploy/` that take TLS off, in front of a server of a test's own, and an application that calls through one: the
//! official SDKs over https.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use test_ports::free_port;
use test_postgres::Certificates;

use crate::json_lines::Script;
use crate::packages::deploy;
use crate::process::Process;
use crate::site::{DeviceSecrets, Site};
use crate::wait::eventually;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// `proxy/nginx.conf`
    Nginx,
    /// `proxy/Caddyfile`
    Caddy,
    /// `compose/instances/haproxy.cfg`, with a certificate
    Haproxy,
}

/// A running proxy.
#[derive(Debug)]
pub struct TlsProxy {
    process: Process,
    address: SocketAddr,
    certificates: Certificates,
    _folder: TempDir,
}

/// An application behind it.
#[derive(Debug)]
pub struct BehindTls(Script);

impl TlsProxy {
    /// Starts one in front of this API, with its deployed configuration but for names, files and addresses; when this returns, it
    /// answers. `checked` is where a server says whether it is ready.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(front: Front, api: SocketAddr, checked: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let certificates = Certificates::make(folder.path());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let at = |name: &str| folder.path().join(name);
        let write =
            |name: &str, text: String| std::fs::write(at(name), text).expect("the scratch folder can be written");
        let mut command = match front {
            Front::Nginx => {
                write("thingcall.conf", nginx(address, api, &certificates));
                let around = nginx_around(&folder.path().display().to_string());
                write("nginx.conf", around);
                let mut command = Command::new(program("nginx"));
                command.arg("-c").arg(at("nginx.conf")).arg("-p").arg(folder.path());
                command
            }
            Front::Caddy => {
                write("Caddyfile", caddy(address, api, &certificates));
                let mut command = Command::new(program("caddy"));
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(at("Caddyfile"));
                command.env("HOME", folder.path()).env("XDG_DATA_HOME", folder.path());
                command
            }
            Front::Haproxy => {
                let files = [&certificates.server, &certificates.server_key];
                let both = files.map(|file| std::fs::read_to_string(file).expect("a certificate and its key"));
                write("both.pem", both.concat());
                write("haproxy.cfg", haproxy(address, (api, checked), &at("both.pem").display().to_string()));
                let mut command = Command::new(program("haproxy"));
                command.arg("-f").arg(at("haproxy.cfg"));
                command
            }
        };
        let mut process = Process::start("a proxy", &mut command);
        process.takes_along(folder.path());
        eventually("the proxy answers", || TcpStream::connect(address).ok());
        Self { process, address, certificates, _folder: folder }
    }

    /// All that it wrote.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Gets these paths, one after the other; what each was answered.
    ///
    /// # Panics
    /// If one is not answered.
    pub fn gets(&self, paths: &[&str]) -> Vec<u64> {
        let argument = json!({ "endpoint": "", "ca": self.certificates.authority, "key": null });
        let script = Script::start("a client of a proxy", "behind_tls.py", &argument);
        let get = |path: &&str| {
            script.send(&json!({ "get": format!("https://localhost:{}{path}", self.address.port()) }));
            script.event("got").get("status").and_then(Value::as_u64).expect("a status")
        };
        paths.iter().map(get).collect()
    }

    /// An application that calls this device through it, and reads events; when this returns, its stream has begun.
    ///
    /// # Panics
    /// If the stream is refused.
    pub fn application(&self, site: &Site, device: &DeviceSecrets) -> BehindTls {
        let script = Script::start(
            "an application behind a proxy",
            "behind_tls.py",
            &json!({
                "endpoint": format!("localhost:{}", self.address.port()), "ca": self.certificates.authority,
                "key": site.key.id, "secret": site.key.secret, "product": device.product, "device": device.name,
            }),
        );
        let stands = script.event("stands");
        assert_eq!(stands.get("status"), Some(&json!(200)), "{stands} {}", self.log());
        BehindTls(script)
    }
}

impl BehindTls {
    /// Calls a service by this SDK (`acs3`, `v1`, `v1-get`, `v1-post`); what the application sees.
    pub fn calls(&self, sdk: &str, identifier: &str, args: &str) -> Value {
        self.0.send(&json!({ "sdk": sdk, "identifier": identifier, "args": args }));
        self.0.event("called")
    }

    /// The next event on its stream.
    pub fn told(&self) -> Value {
        self.0.event("told")
    }
}

fn nginx(address: SocketAddr, api: SocketAddr, certificates: &Certificates) -> String {
    let file = std::fs::read_to_string(deploy().join("proxy/nginx.conf")).expect("nginx.conf");
    let file = replaced(&file, "listen 443 ssl;\n    listen [::]:443 ssl;", &format!("listen {address} ssl;"));
    let file = replaced(&file, "server 127.0.0.1:8080;", &format!("server {api};"));
    let file = replaced(&file, "server_name iot.example.com;", "server_name localhost;");
    let file = replaced(&file, "/etc/thingcall/tls/fullchain.pem;\n", &format!("{};\n", certificates.server.display()));
    replaced(&file, "/etc/thingcall/tls/privkey.pem;\n", &format!("{};\n", certificates.server_key.display()))
}

/// What stands around a file of `/etc/nginx/conf.d`.
fn nginx_around(folder: &str) -> String {
    let scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let scratch: String = scratch.iter().map(|one| format!("{one}_temp_path {folder}/{one};\n")).collect();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{scratch}include {folder}/thingcall.conf;\n}}\n"
    )
}

fn caddy(address: SocketAddr, api: SocketAddr, certificates: &Certificates) -> String {
    let file = std::fs::read_to_string(deploy().join("proxy/Caddyfile")).expect("Caddyfile");
    let tls = format!("tls {} {}", certificates.server.display(), certificates.server_key.display());
    let site = format!("https://localhost:{} {{\n\tbind {}\n\t{tls}\n", address.port(), address.ip());
    let file = replaced(&file, "\niot.example.com {\n", &format!("\n{site}"));
    let file = replaced(&file, "reverse_proxy 127.0.0.1:8080 {", &format!("reverse_proxy {api} {{"));
    replaced(&file, "{\n\tservers {", "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {")
}

fn haproxy(address: SocketAddr, (api, checked): (SocketAddr, SocketAddr), pem: &str) -> String {
    let file = replaced(crate::haproxy::HAPROXY, "bind :8080", &format!("bind {address} ssl crt {pem}"));
    let server = "    server thingcall-1 thingcall-1:8080\n    server thingcall-2 thingcall-2:8080\n    server thingcall-3 thingcall-3:8080\n";
    replaced(&file, server, &format!("    server thingcall-1 {api} port {}\n", checked.port()))
}

/// The text with another part in place of this one, of which there is one that is no comment.
fn replaced(text: &str, part: &str, by: &str) -> String {
    assert!(text.contains(part), "no {part:?} in {text}");
    text.replacen(part, by, 1)
}

/// Debian puts servers where a user's path may not look.
fn program(name: &str) -> String {
    let path = format!("/usr/sbin/{name}");
    if std::path::Path::new(&path).exists() { path } else { name.to_owned() }
}
