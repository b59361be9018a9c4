//! Which plugins are told without running them.

use std::fs::{remove_file, write};

use super::*;
use crate::config::PluginConfig;
use crate::testsite::{Site, answering};

fn refused(look: &Look) -> Vec<(String, String)> {
    let told = |(file, problem): &(PathBuf, Problem)| {
        (file.file_name().unwrap().to_string_lossy().into_owned(), problem.value.clone())
    };
    look.refused.iter().map(told).collect()
}

#[tokio::test]
async fn what_is_found_is_what_a_start_finds() {
    let mut site = Site::new();
    answering(&site.file("a.so"), "a", "[\"fb:*\"]", "1");
    answering(&site.file("b.so"), "b", "[\"fb:*\"]", "1");
    answering(&site.file("c.so"), "a", "[\"gb:*\"]", "1");
    answering(&site.file("off.so"), "off", "[\"fb:*\"]", "1");
    write(site.file("d.so"), "no library").unwrap();
    site.section("off", PluginConfig { enabled: false, ..PluginConfig::default() });
    let found = look(&site.config, &site.configs, &site.data);
    let told = refused(&found);
    let [(b, handles), (c, hold), (d, elf)] = &told[..] else { panic!("{told:?}") };
    assert!(b == "b.so" && handles.contains("plugin a handles fb:* already"), "{handles}");
    assert!(c == "c.so" && hold.contains("hold a plugin named a"), "{hold}");
    assert!(d == "d.so" && elf.contains("not a 64-bit ELF file"), "{elf}");
    let plugins = site.start().await;
    let listed: Vec<_> =
        plugins.list().into_iter().filter(|one| one.error.is_some() && !one.file.ends_with("off.so")).collect();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert!(plugins.shutdown().await);
}

#[test]
fn section_with_claims_and_no_plugin_is_told() {
    let mut site = Site::new();
    let claims = Some(vec!["fb:*".to_owned()]);
    site.section("gone", PluginConfig { claims: claims.clone(), ..PluginConfig::default() });
    site.section("off", PluginConfig { claims, enabled: false, ..PluginConfig::default() });
    site.section("plain", PluginConfig::default());
    let found = look(&site.config, &site.configs, &site.data);
    let keys: Vec<_> = found.absent.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["plugins.gone"]);
}

#[test]
fn folders_that_cannot_be_read_are_told_and_missing_ones_are_right() {
    let site = Site::new();
    assert!(problems_of_folders(&site.config, &site.data).is_empty());
    assert!(problems_of_folders(&site.config, &site.data.join("new")).is_empty());
    let file = site.file("file");
    write(&file, "").unwrap();
    let config = Config { folder: Some(file.clone()), ..site.config.clone() };
    let found = problems_of_folders(&config, &site.data);
    assert!(found[0].key == "loader.folder" && found[0].value.contains("Not a directory"), "{found:?}");
    remove_file(file).unwrap();
    std::fs::create_dir(site.data.join("plugin-kept")).unwrap();
    write(site.data.join("plugin-kept/meter.json"), "{").unwrap();
    assert_eq!(problems_of_folders(&site.config, &site.data).len(), 1);
}

#[test]
fn file_that_ended_the_server_again_and_again_is_told_unless_forced() {
    let site = Site::new();
    let file = site.file("a.so");
    answering(&file, "a", "[\"fb:*\"]", "1");
    let sha256 = crate::files::read(&file, &[]).unwrap().sha256;
    let ended = serde_json::json!({
        "times": 3, "atLoadInARow": 3, "at": "2026-01-01T00:00:00Z", "atLoad": true, "generation": 1, "file": file,
        "sha256": sha256,
    });
    std::fs::create_dir(site.data.join("plugin-kept")).unwrap();
    write(site.data.join("plugin-kept/a.ended.json"), ended.to_string()).unwrap();
    let found = look(&site.config, &site.configs, &site.data);
    assert!(found.refused.len() == 1 && found.refused[0].1.value.contains("--force"), "{found:?}");
    let forced = Config { force: true, ..site.config.clone() };
    assert!(look(&forced, &site.configs, &site.data).refused.is_empty());
}
