//! What counts where.

use thingcall_core::MessageKinds;

use super::*;

fn wanted(product: Option<&str>, kind: MessageKind) -> Wanted {
    let product = product.map(|key| key.try_into().unwrap());
    Wanted { of: vec![(product, MessageKinds::NONE.with(kind))] }
}

fn parts(wishes: &Wishes, places: RangeInclusive<i64>) -> Vec<(i64, i64)> {
    wishes.at(places).map(|(part, _)| (*part.start(), *part.end())).collect()
}

#[test]
fn wishes_are_written_and_read() {
    let mut wishes = Wishes::default();
    wishes.change(1, wanted(None, MessageKind::Status), 0);
    wishes.change(5, wanted(Some("pk"), MessageKind::LifeCycle), 0);
    assert_eq!(Wishes::read(&wishes.to_text()), wishes);
    assert_eq!(Wishes::read("broken"), Wishes::default());
}

#[test]
fn a_wish_counts_for_what_is_written_after_it() {
    let mut wishes = Wishes::default();
    wishes.change(3, wanted(None, MessageKind::Status), 2);
    assert_eq!(parts(&wishes, 1..=9), [(3, 9)]);
    wishes.change(6, Wanted::default(), 2);
    assert_eq!(parts(&wishes, 1..=9), [(3, 5)], "what was queued stays");
    wishes.change(8, wanted(None, MessageKind::Event), 2);
    assert_eq!(parts(&wishes, 1..=9), [(3, 5), (8, 9)]);
    wishes.change(10, wanted(None, MessageKind::Tag), 8);
    assert_eq!(parts(&wishes, 1..=11), [(8, 9), (10, 11)], "what is read needs no wish");
}

#[test]
fn the_same_wish_again_changes_nothing() {
    let mut wishes = Wishes::default();
    wishes.change(3, wanted(None, MessageKind::Status), 2);
    let before = wishes.clone();
    wishes.change(7, wanted(None, MessageKind::Status), 5);
    assert_eq!(wishes, before);
}
