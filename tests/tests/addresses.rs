//! The data folder is all that a command needs to find the server that runs on it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use thingcall_tests::{Finished, PRODUCT, Simulation, Site, eventually, run, rust_plugin};

const SERVICE: &str = "testFb:testService";

/// Runs a command with the folder and nothing else.
fn told(site: &Site, command: &[&str]) -> Finished {
    let data = ["--data", site.data().to_str().expect("a plain name")];
    run(command.iter().chain(&data))
}

fn call(site: &Site, device: &str) -> Finished {
    told(site, &["call", device, SERVICE, r#"{"param1":7}"#, "--json"])
}

/// That its simulated devices answer.
fn answers(site: &Site, device: &str) {
    let last = eventually("the device answers", || {
        let finished = call(site, device);
        (finished.code == Some(0)).then_some(finished)
    });
    let answer: Value = serde_json::from_str(&last.stdout).expect("an object");
    assert_eq!(answer["result"]["data"]["param1"], json!(7), "{answer}");
}

#[test]
fn every_command_finds_the_server_by_its_folder() {
    let site = Site::with_plugins("", &[&rust_plugin("virtual-device")]);
    let mode = std::fs::metadata(site.data().join("server.json")).expect("the addresses").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let _devices = site.simulate(1);
    answers(&site, &format!("{PRODUCT}/sim-0001"));

    let plugins = site.command_json(&["plugin", "list"]);
    assert_eq!(plugins["name"], "virtual-device", "{plugins}");
    site.command(&["plugin", "reload", "virtual-device"]);

    site.device("away");
    let failed = call(&site, &format!("{PRODUCT}/away"));
    let answer: Value = serde_json::from_str(&failed.stdout).expect("an object");
    let explained = site.command_json(&["explain", answer["requestId"].as_str().expect("an id")]);
    assert_eq!(explained["outcome"], "offline", "{explained}");
}

#[test]
fn devices_go_to_the_external_broker_that_their_server_has() {
    let site = Site::external(&[]);
    site.is_ready();

    let _devices = site.simulate(1);

    answers(&site, &format!("{PRODUCT}/sim-0001"));
}

#[test]
fn what_a_killed_server_left_is_not_used() {
    let mut site = Site::with_plugins("", &[]);
    let device = format!("{PRODUCT}/d1");
    site.device("d1");
    let addresses = site.program.addresses;
    site.program.kill();
    assert!(site.data().join("server.json").exists(), "a killed server removes nothing");
    // Another program has its ports now.
    let _others = [addresses.api, addresses.metrics].map(|address| TcpListener::bind(address).expect("it is free"));

    for command in [&["call", &device, SERVICE][..], &["plugin", "list"], &["plugin", "reload"], &["explain", "17"]] {
        let finished = told(&site, command);
        assert_eq!(finished.code, Some(1), "{command:?} {finished:?}");
        let said = format!("no server runs on {}", site.data().display());
        assert!(finished.stderr.contains(&said), "{command:?} {}", finished.stderr);
    }

    site.start_again();
    assert_eq!(told(&site, &["plugin", "list"]).code, Some(0));
    site.program.terminate();
    assert!(site.program.ended().success());
    assert!(!site.data().join("server.json").exists(), "an orderly end leaves nothing");
}

#[test]
fn devices_go_where_the_configuration_says_while_no_server_runs() {
    let mut site = Site::embedded(&[]);
    site.device("early");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let config = site.data().join("thingcall.toml");
    std::fs::write(&config, format!("[broker]\nlisten = \"{address}\"\n")).expect("the folder can be written");
    site.program.kill();

    let name = format!("{PRODUCT}/early");
    let [config, data] = [config.as_path(), site.data()].map(|path| path.to_str().expect("a plain name"));
    let devices = Simulation::start(&[&name, "--config", config, "--data", data]);

    let (_connection, _) = listener.accept().expect("the device comes");
    let log = devices.log();
    assert!(log.contains(&format!("no server runs on {data}")), "it says why: {log}");
}
