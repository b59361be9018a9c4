//! Which secrets come from which files, and what is said of those that do not.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::super::load::read_for_test;
use super::super::{Config, Reading};
use super::*;

const SECTION: &str = "[mqtt]\nusername = \"u\"\nurl = \"mqtt://h:1\"\n";

/// A folder that this user alone can enter, and the name of a file in it that holds this.
fn holds(text: impl AsRef<[u8]>) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, text).expect("a file");
    let name = file.display().to_string();
    (folder, name)
}

fn read_it(text: &str, variables: &[(&str, &str)]) -> Reading {
    read_for_test(text, variables, Vec::new())
}

fn password(config: &Config) -> Option<String> {
    Some(config.mqtt.as_ref()?.password.as_ref()?.expose().to_owned())
}

fn right(text: &str, variables: &[(&str, &str)]) -> Config {
    read_it(text, variables).right().expect("a right configuration")
}

/// The key of the only problem, its place and its sentence.
fn only(text: &str, variables: &[(&str, &str)]) -> (String, String, String) {
    let reading = read_it(text, variables);
    let [found] = &reading.problems.0[..] else { panic!("{:?}", reading.problems) };
    (found.problem.key.clone(), found.place.to_string(), found.problem.to_string())
}

#[test]
fn a_secret_is_what_its_file_holds_without_the_last_lines_end() {
    for (text, secret) in [("hush", "hush"), ("hush\n", "hush"), ("hush\r\n", "hush"), (" hu sh \n", " hu sh ")] {
        let (_folder, file) = holds(text);
        assert_eq!(password(&right(&format!("{SECTION}password_file = \"{file}\""), &[])).as_deref(), Some(secret));
    }
}

#[test]
fn every_kind_of_section_has_it() {
    let (_folder, file) = holds("hush-hush\n");
    let (_other, webhook) = holds("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    let config = right(
        &format!(
            "[store]\nurl = \"postgres://u@h/d\"\npassword_file = \"{file}\"\n[gate]\nsecret_file = \"{file}\"\n\
             [[gate.users]]\nname = \"a\"\nsecret = \"other\"\n[[gate.users]]\nname = \"b\"\nsecret_file = \"{file}\"\n\
             [amqp_brokers.north]\npassword_file = \"{file}\"\n[webhooks.w]\nurl = \"http://h/\"\nsecret_file = \"{webhook}\"\n\
             [shared]\nnonces = \"redis\"\nredis = \"redis://h\"\nredis_password_file = \"{file}\"\n\
             [first_key]\nid = \"one\"\nsecret_file = \"{file}\"\n[broker]\nenabled = false\n"
        ),
        &[],
    );
    let all = [
        config.store.password.as_ref(),
        config.gate.secret.as_ref(),
        config.gate.users.get(1).map(|user| &user.secret),
        config.amqp_brokers.values().next().map(|broker| &broker.password),
        config.shared.redis_password.as_ref(),
        config.first_key.secret.as_ref(),
    ];
    assert_eq!(all.map(|secret| secret.map(thingcall_core::Secret::expose)), [Some("hush-hush"); 6]);
    assert!(config.webhooks.values().all(|target| target.secret.is_some()));
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn a_variable_names_a_file_too_and_wins_over_what_the_configuration_holds() {
    let (_folder, file) = holds("of-variable\n");
    let (_other, older) = holds("of-file\n");
    let variable = [("THINGCALL__MQTT__PASSWORD_FILE", &*file)];
    assert_eq!(password(&right(SECTION, &variable)).as_deref(), Some("of-variable"));
    assert_eq!(password(&right(&format!("{SECTION}password = \"old\""), &variable)).as_deref(), Some("of-variable"));
    let named = format!("{SECTION}password_file = \"{older}\"");
    assert_eq!(password(&right(&named, &variable)).as_deref(), Some("of-variable"));
    let given = [("THINGCALL__MQTT__PASSWORD", "given")];
    assert_eq!(password(&right(&named, &given)).as_deref(), Some("given"));
    let (_users, users) = holds("of-list");
    let list = format!("[{{ name = \"u\", secret_file = \"{users}\" }}]");
    let config = right("", &[("THINGCALL__GATE__USERS", &list)]);
    assert_eq!(config.gate.users[0].secret.expose(), "of-list");
}

#[test]
fn two_of_one_source_are_one_too_many() {
    let (_folder, file) = holds("hush");
    let both = format!("{SECTION}password = \"hush\"\npassword_file = \"{file}\"\n");
    let (key, place, told) = only(&both, &[]);
    assert_eq!((&*key, &*place), ("mqtt.password_file", "t.toml:5"));
    assert!(told.ends_with("right is one of password and password_file"), "{told}");
    let variables = [("THINGCALL__MQTT__PASSWORD_FILE", &*file), ("THINGCALL__MQTT__PASSWORD", "x")];
    assert!(only(SECTION, &variables).1.contains("THINGCALL__MQTT__PASSWORD_FILE"));
}

#[test]
fn what_cannot_be_a_secret_is_told_with_its_line_and_not_shown() {
    for (text, why) in [
        ("", "empty"),
        ("\n", "empty"),
        ("hush\nhush\n", "more than one line"),
        ("hush\0", "zero byte"),
        (&*"hush".repeat(20_000), "more than 65536 bytes"),
    ] {
        let (_folder, file) = holds(text);
        let (key, place, told) = only(&format!("{SECTION}password_file = \"{file}\"\n"), &[]);
        assert_eq!((&*key, &*place), ("mqtt.password_file", "t.toml:4"), "{told}");
        assert!(told.contains(why) && told.contains(&file) && !told.contains("hush"), "{told}");
    }
    let (folder, _) = holds(b"hush\xff");
    let name = |path: &Path| format!("{SECTION}password_file = \"{}\"\n", path.display());
    assert!(only(&name(&folder.path().join("secret")), &[]).2.contains("UTF-8"));
    assert!(only(&name(folder.path()), &[]).2.contains("no file"));
    assert!(only(&name(&folder.path().join("none")), &[]).2.contains("No such file"));
    assert!(only(&format!("{SECTION}password_file = 7"), &[]).2.contains("the name of a file"));
}

#[test]
fn of_a_secret_that_was_not_read_nothing_else_is_said_and_of_a_wrong_one_its_file() {
    let missing = "[webhooks.w]\nurl = \"http://h/\"\nsecret_file = \"/nowhere/s\"\n[[gate.users]]\nname = \"u\"\nsecret_file = \"/nowhere/u\"";
    let reading = read_it(missing, &[]);
    let keys: Vec<_> = reading.problems.0.iter().map(|found| &*found.problem.key).collect();
    assert_eq!(keys, ["webhooks.w.secret_file", "gate.users[0].secret_file"], "{:?}", reading.problems);
    let (_folder, file) = holds("no webhook's secret");
    let (key, place, told) = only(&format!("[webhooks.w]\nurl = \"http://h/\"\nsecret_file = \"{file}\""), &[]);
    assert_eq!((&*key, &*place), ("webhooks.w.secret_file", "t.toml:3"));
    assert!(told.contains("whsec_") && !told.contains("no webhook's"), "{told}");
}

#[test]
fn commands_need_the_secrets_of_the_store_alone() {
    let of_broker = format!("{SECTION}password_file = \"/nowhere/password\"\n");
    assert!(read_it(&of_broker, &[]).right().is_err());
    assert!(read_it(&of_broker, &[]).right_for_commands().is_ok());
    let of_store = "[store]\nurl = \"postgres://u@h/d\"\npassword_file = \"/nowhere/password\"\n";
    let refused = read_it(of_store, &[]).right_for_commands().map(drop).expect_err("it cannot be opened");
    assert_eq!(refused.0[0].problem.key, "store.password_file");
    assert!(read_it(&format!("{of_broker}nonsense = 1\n"), &[]).right_for_commands().is_err());
}

#[test]
fn a_credential_is_where_systemd_says() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("broker"), "hush\n").expect("a file");
    let at = folder.path().display().to_string();
    let text = format!("{SECTION}password_file = \"credential:broker\"");
    assert_eq!(password(&right(&text, &[("CREDENTIALS_DIRECTORY", &at)])).as_deref(), Some("hush"));
    assert!(only(&text, &[]).2.contains("LoadCredential=broker:FILE"));
    let out = format!("{SECTION}password_file = \"credential:../x\"");
    assert!(only(&out, &[("CREDENTIALS_DIRECTORY", &at)]).2.contains("credential:NAME"));
}

#[test]
fn a_file_that_every_user_can_read_is_doubtful_and_taken() {
    let (folder, file) = holds("hush");
    let text = format!("{SECTION}password_file = \"{file}\"");
    let set = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    set(Path::new(&file), 0o644);
    set(folder.path(), 0o700);
    let reading = read_it(&text, &[]);
    assert!(reading.warnings.0.is_empty(), "none but its user can enter the folder: {:?}", reading.warnings);
    set(folder.path(), 0o755);
    let reading = read_it(&text, &[]);
    let told = reading.warnings.0[0].to_string();
    assert!(told.starts_with("t.toml:4: mqtt.password_file is ") && told.contains("mode 0644"), "{told}");
    assert!(reading.right().is_ok());
    set(Path::new(&file), 0o640);
    assert!(read_it(&text, &[]).warnings.0.is_empty());
}

/// Each key of the configuration whose type is a secret is in the list, so it has its file.
#[test]
fn every_key_that_holds_a_secret_may_name_a_file() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates");
    let mut found = Vec::new();
    for of_crate in std::fs::read_dir(crates).expect("crates").flatten() {
        let src = of_crate.path().join("src");
        let config = src.join("config");
        let files =
            [src.join("config.rs"), config.join("shared.rs"), config.join("first_key.rs"), config.join("listeners.rs")];
        for text in files.iter().filter_map(|file| std::fs::read_to_string(file).ok()) {
            for line in
                text.lines().map(|line| line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub "))
            {
                let Some((name, kind)) = line.split_once(": ") else { continue };
                if !name.contains(['(', ' ']) && (kind.starts_with("Secret") || kind.starts_with("Option<Secret>")) {
                    found.push(name.to_owned());
                }
            }
        }
    }
    found.sort();
    assert!(found.len() >= 8, "{found:?}");
    assert!(found.iter().all(|name| SECRETS.contains(&&**name)), "each has its place in SECRETS: {found:?}");
}
