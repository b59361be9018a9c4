//! How times are read from buckets.

use super::quantile;

const INFINITE: f64 = f64::INFINITY;

#[test]
fn a_share_lies_within_its_bucket() {
    let buckets = [(0.005, 10.0), (0.01, 20.0), (INFINITE, 20.0)];
    for (share, seconds) in [(0.5, 0.005), (0.75, 0.0075), (1.0, 0.01), (0.25, 0.0025)] {
        let found = quantile(&buckets, share).expect("there were calls");
        assert!((found - seconds).abs() < 1e-9, "{share}: {found}");
    }
}

#[test]
fn without_calls_there_is_none_and_beyond_the_bounds_the_last_one_is_told() {
    assert_eq!(quantile(&[(0.005, 0.0), (INFINITE, 0.0)], 0.5), None);
    assert_eq!(quantile(&[], 0.5), None);
    assert_eq!(quantile(&[(0.005, 0.0), (INFINITE, 4.0)], 0.5), Some(0.005));
}
