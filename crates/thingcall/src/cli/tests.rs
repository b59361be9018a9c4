//! The words and flags that others script.

use clap::{CommandFactory, Parser};

use super::Cli;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn what_others_script_parses() {
    for line in [
        "serve --config c.toml --data d --api 127.0.0.1:0 --mqtt 127.0.0.1:0 --metrics 127.0.0.1:0",
        "demo --once",
        "check --config c.toml a.json b.json",
        "call pk/dn testFb:testService {} --url http://h:1 --key-id i --key-secret s --json",
        "call 0123abc Measure",
        "product import --key pk --name n main.json module.json --json",
        "product list",
        "product show pk",
        "device add --product pk --name n --secret s --json",
        "device list --product pk",
        "device show pk/dn",
        "device show pk/dn --secret",
        "device disable pk/dn",
        "device enable pk/dn",
        "device remove pk/dn",
        "device simulate --product pk --count 3 --url mqtt://h:1 --delay 5 --code 460 --silent --wrong-id --no-ext",
        "key add --id i --secret s --json",
        "key list",
        "key disable i",
        "key enable i",
        "explain 17",
        "backup b --data d --json",
        "restore b --data d --replace --json",
        "plugin new meter",
        "plugin new meter --lang c --path d",
        "plugin build meter",
        "plugin inspect a.so b.so --json",
        "plugin list --metrics 127.0.0.1:9464 --json",
        "plugin reload meter --metrics 127.0.0.1:9464",
        "plugin reload",
        "plugin test a.so --call m:s {} --reply {} --reply timeout --config {} --product pk --device dn --async --json",
        "plugin test a.so --decode 00ff --timeout 1s",
    ] {
        let words = std::iter::once("thingcall").chain(line.split(' '));
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
}
