//! That a minute ends.

use std::time::Duration;

use thingcall_core::PerMinute;
use tokio::time::Instant;

use super::Minute;

#[test]
fn what_was_consumed_counts_for_a_minute() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut minute = Minute::new(start);
    minute.add(true, at(1));
    minute.add(true, at(25));
    minute.add(false, at(25));

    assert_eq!(minute.sum(at(59)), PerMinute { fresh: 2, backlog: 1 });
    assert_eq!(minute.sum(at(61)), PerMinute { fresh: 1, backlog: 1 });
    assert_eq!(minute.sum(at(500)), PerMinute::default());
}
