//! What a configuration must leave room for.

use std::num::NonZeroUsize;

use thingcall_core::Section;

use super::Config;

fn with(connections_max: usize, live_tails_max: usize) -> Config {
    let some = |count| NonZeroUsize::new(count).unwrap();
    Config { connections_max: some(connections_max), live_tails_max: some(live_tails_max), ..Config::default() }
}

#[test]
fn live_pages_leave_connections_for_others() {
    assert_eq!(Config::default().problems(), []);
    assert_eq!(with(24, 16).problems(), []);
    let problems = with(24, 17).problems();
    assert_eq!((problems.len(), problems[0].key.as_str()), (1, "live_tails_max"));
    assert!(problems[0].right.starts_with("16 at most"), "{problems:?}");
    assert_eq!(with(24, 17).tails_max(), 16, "also where files are too few for what was asked for");
    assert_eq!(with(4, 64).tails_max(), 1);
}
