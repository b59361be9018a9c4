//! No circles within a crate: of the modules that stand beside each other, none leads back to itself by what its files
//! import. A module and its own children may know each other; whoever is above them sees one room.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::{Module, Place, Source, read_crate};
use super::root;

/// Who imports from whom, and what.
type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

#[test]
fn modules_of_a_crate_form_no_circles() {
    let mut crates = 0;
    let mut circles = Vec::new();
    for folder in ["crates", "tests"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder of the workspace") {
            let package = entry.expect("an entry").path();
            let name = package.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            for start in ["src/lib.rs", "src/main.rs"].map(|file| package.join(file)) {
                if !start.is_file() {
                    continue;
                }
                crates += 1;
                let found = circles_of(&read_crate(&start));
                circles.extend(found.iter().map(|circle| format!("{name}: {circle}")));
            }
        }
    }
    assert!(crates > 14, "the crates are found");

    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// Each circle in words: its modules, and the imports that close it.
fn circles_of(source: &Source) -> Vec<String> {
    let places: BTreeSet<&Place> = source.modules.iter().map(|module| &module.place).collect();
    places.iter().flat_map(|parent| circles_below(source, parent)).collect()
}

/// The circles among the children of one module, each with all that is below it.
fn circles_below(source: &Source, parent: &Place) -> Vec<String> {
    let depth = parent.len();
    let child = |place: &Place| place.starts_with(parent).then(|| place.get(depth).cloned()).flatten();
    let mut arrows = Arrows::new();
    for module in &source.modules {
        let Some(from) = child(&module.place) else { continue };
        for (place, name) in &module.imports {
            let Some(to) = child(place).filter(|to| *to != from) else { continue };
            arrows.entry(from.clone()).or_default().entry(to).or_default().insert(name.clone());
        }
    }
    let reached: BTreeMap<_, _> = arrows.keys().map(|from| (from, reached_from(&arrows, from))).collect();
    let mut told = BTreeSet::new();
    let mut circles = Vec::new();
    for (from, seen) in reached.iter().filter(|(from, seen)| seen.contains(**from)) {
        let circle: BTreeSet<&String> =
            seen.iter().filter(|to| reached.get(to).is_some_and(|back| back.contains(*from))).collect();
        if !told.insert(circle.clone()) {
            continue;
        }
        let ties = circle.iter().flat_map(|a| {
            let arrows = arrows.get(*a).into_iter().flatten();
            let circle = &circle;
            arrows.filter(move |(b, _)| circle.contains(b)).map(move |(b, names)| format!("{a} -> {b}: {names:?}"))
        });
        circles.push(format!("in {parent:?}\n  {}", ties.collect::<Vec<_>>().join("\n  ")));
    }
    circles
}

/// All that can be reached from a module; itself only by a circle.
fn reached_from(arrows: &Arrows, from: &str) -> BTreeSet<String> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(at) = next.pop() {
        for to in arrows.get(at).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(to.clone()) {
                next.push(to);
            }
        }
    }
    seen
}

#[test]
fn a_circle_is_told_with_what_ties_it() {
    let module = |place: &[&str], imports: &[(&[&str], &str)]| Module {
        place: place.iter().map(ToString::to_string).collect(),
        imports: imports
            .iter()
            .map(|(place, name)| (place.iter().map(ToString::to_string).collect(), (*name).to_owned()))
            .collect(),
    };
    // A child closes the circle for its parent; parent and child alone are none.
    let source = Source {
        modules: vec![
            module(&[], &[(&["transport"], "Transport")]),
            module(&["link"], &[(&["link", "connect"], "open")]),
            module(&["link", "connect"], &[(&["link"], "Link"), (&["transport"], "Shared")]),
            module(&["transport"], &[(&["link"], "run")]),
            module(&["apart"], &[(&["transport"], "Shared")]),
        ],
    };

    let circles = circles_of(&source);

    assert_eq!(circles, ["in []\n  link -> transport: {\"Shared\"}\n  transport -> link: {\"run\"}"]);
}
