//! What is found among too many to count, how wrong it may be, and that it passes.

use super::*;

fn counted(sketch: &mut Sketch<u32, ()>, minute: u64) -> Vec<(u32, u32, u32)> {
    sketch.most(minute, usize::MAX).into_iter().map(|often| (often.key, often.count, often.too_many)).collect()
}

#[test]
fn counts_are_exact_while_there_is_room() {
    let mut sketch = Sketch::new(3);
    for key in [1, 2, 2, 3, 3, 3] {
        sketch.came(&key, 7, |_| ());
    }
    assert_eq!(counted(&mut sketch, 7), [(3, 3, 0), (2, 2, 0), (1, 1, 0)]);
}

#[test]
fn what_comes_often_is_found_among_many_that_come_once() {
    let mut sketch = Sketch::new(10);
    let mut others = 1000..;
    for round in 0..200 {
        sketch.came(&(round % 2), 0, |_| ());
        (0..3).for_each(|_| sketch.came(&others.next().unwrap(), 0, |_| ()));
    }
    let most = sketch.most(0, 2);
    let mut keys: Vec<_> = most.iter().map(|often| often.key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [0, 1]);
    for often in most {
        assert!(often.count >= 100, "{often:?}");
        assert!(often.count - often.too_many <= 100, "{often:?}");
        assert!(often.too_many <= 800 / 10, "{often:?}");
    }
    assert_eq!(sketch.len(), 10);
}

#[test]
fn what_was_ten_minutes_ago_counts_no_more() {
    let mut sketch = Sketch::new(10);
    (0..5).for_each(|_| sketch.came(&1, 0, |_| ()));
    sketch.came(&1, 4, |_| ());
    sketch.came(&2, 9, |_| ());
    assert_eq!(counted(&mut sketch, 9), [(1, 6, 0), (2, 1, 0)]);
    assert_eq!(counted(&mut sketch, 10), [(1, 1, 0), (2, 1, 0)]);
    assert_eq!(counted(&mut sketch, 14), [(2, 1, 0)]);
    assert_eq!(counted(&mut sketch, 1_000_000), []);
    assert_eq!(sketch.len(), 0);
}

#[test]
fn what_it_inherited_passes_too() {
    let mut sketch = Sketch::new(1);
    sketch.came(&1, 0, |_| ());
    sketch.came(&1, 5, |_| ());
    sketch.came(&2, 6, |_| ());
    assert_eq!(counted(&mut sketch, 6), [(2, 3, 2)]);
    assert_eq!(counted(&mut sketch, 10), [(2, 2, 1)]);
    assert_eq!(counted(&mut sketch, 15), [(2, 1, 0)]);
}

#[test]
fn a_note_is_made_of_the_one_before() {
    let mut sketch = Sketch::new(1);
    for number in [3_u32, 9, 4] {
        sketch.came(&1, 0, |before: Option<u32>| before.unwrap_or(0).max(number));
    }
    assert_eq!(sketch.most(0, 1)[0].value, 9);
    sketch.came(&2, 0, |before| before.unwrap_or(1));
    assert_eq!(sketch.most(0, 1)[0].value, 1);
}
