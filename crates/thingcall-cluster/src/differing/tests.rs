//! What is told of plugins that are not the same everywhere.

use thingcall_core::LoadedPlugin;
use thingcall_core::testing::instance;

use super::*;

fn with(name: &str, plugins: &[(&str, u64, &str)]) -> Instance {
    let plugin = |&(name, generation, sha256): &(&str, u64, &str)| LoadedPlugin {
        name: name.to_owned(),
        generation,
        sha256: sha256.to_owned(),
    };
    Instance { plugins: plugins.iter().map(plugin).collect(), ..instance(name) }
}

fn found(instances: &[Instance]) -> Vec<(String, Unlike)> {
    let found = differing(&instances.iter().collect::<Vec<_>>());
    found.into_iter().map(|one| (one.plugin, one.unlike)).collect()
}

#[test]
fn the_same_plugins_differ_in_nothing() {
    assert_eq!(found(&[]), []);
    assert_eq!(found(&[with("a", &[("p", 1, "x")])]), []);
    assert_eq!(found(&[with("a", &[("p", 1, "x")]), with("b", &[("p", 1, "x")])]), []);
}

#[test]
fn another_file_counts_more_than_another_number_of_loads() {
    let (a, b) = (with("a", &[("p", 2, "x"), ("q", 1, "y")]), with("b", &[("p", 1, "x"), ("q", 2, "z")]));
    assert_eq!(found(&[a, b]), [("p".to_owned(), Unlike::Generation), ("q".to_owned(), Unlike::Sha256)]);
}

#[test]
fn a_plugin_that_an_instance_has_not_differs_in_its_file() {
    let instances = [with("a", &[("p", 1, "x")]), with("b", &[])];
    let told = differing(&instances.iter().collect::<Vec<_>>());
    let has = vec![("a".to_owned(), Some((1, "x".to_owned()))), ("b".to_owned(), None)];
    assert_eq!(told, [Differing { plugin: "p".to_owned(), unlike: Unlike::Sha256, has }]);
}

#[test]
fn an_instance_that_holds_several_slots_is_one() {
    let (a, b) = (instance("a"), instance("b"));
    assert_eq!(each_once([&a, &b, &a].into_iter()).len(), 2);
}
