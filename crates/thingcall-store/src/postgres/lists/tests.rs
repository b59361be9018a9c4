//! How rows are shared out among statements.

use super::*;

fn lengths(rows: &[usize]) -> Vec<Vec<usize>> {
    Lists(rows).pieces(|bytes| *bytes).into_iter().map(<[usize]>::to_vec).collect()
}

#[test]
fn rows_that_fit_go_out_together_and_in_order() {
    assert_eq!(lengths(&[]), Vec::<Vec<usize>>::new());
    assert_eq!(lengths(&[5_000, 4_000, 6_000]), [vec![5_000, 4_000, 6_000]]);
    assert_eq!(lengths(&[5_000, 4_000, 6_001, 1]), [vec![5_000, 4_000], vec![6_001, 1]]);
}

#[test]
fn row_that_is_too_long_goes_out_alone() {
    assert_eq!(lengths(&[1, 90_000, 80_000, 2]), [vec![1], vec![90_000], vec![80_000], vec![2]]);
}
