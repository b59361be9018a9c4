//! All of them together are what each is.

use proptest::prelude::*;
use proptest::{collection, option, sample};

use super::*;

fn product(number: usize) -> ProductKey {
    format!("p{number}").as_str().try_into().unwrap()
}

fn reader(number: usize) -> ReaderName {
    ReaderName(format!("stream:{number}"))
}

/// Of some products, of which some are named twice, or of all others.
fn any_wanted() -> impl Strategy<Value = Wanted> {
    let kinds = sample::subsequence(MessageKinds::all().iter().collect::<Vec<_>>(), 0..=3);
    let line = (option::weighted(0.8, (0..6_usize).prop_map(product)), kinds);
    collection::vec(line.prop_map(|(product, kinds)| (product, kinds.into_iter().collect())), 0..5)
        .prop_map(|of| Wanted { of })
}

proptest! {
    #[test]
    fn what_all_want_is_what_any_of_them_wants_however_they_come_and_go(
        steps in collection::vec((0..5_usize, option::of(any_wanted())), 1..30)
    ) {
        let (mut all, mut each) = (AllWanted::default(), HashMap::new());
        for (number, wanted) in steps {
            all.set(&reader(number), wanted.clone());
            match wanted {
                Some(wanted) => each.insert(number, wanted),
                None => each.remove(&number),
            };
            prop_assert_eq!(all.count(ReaderKind::Stream), each.len());
            for product in (0..7).map(product) {
                for kind in MessageKinds::all().iter() {
                    let wanted = each.values().any(|wanted: &Wanted| wanted.kinds(&product).contains(kind));
                    prop_assert_eq!(all.contains(&product, kind), wanted, "{:?} of {} among {:?}", kind, product, &each);
                }
            }
        }
        (0..5).for_each(|number| all.set(&reader(number), None));
        prop_assert!(all.named.is_empty() && all.readers.is_empty(), "nothing is left of who is gone: {:?}", all);
    }
}

/// Added up anew each time, this took an hour.
#[test]
fn a_change_among_many_readers_of_many_products_costs_no_more_than_among_few() {
    let mut all = AllWanted::default();
    let names = |first: usize| (first..first + 100).map(|number| (Some(product(number)), MessageKinds::all()));
    for number in 0..1_000 {
        all.set(&reader(number), Some(Wanted { of: names(number).collect() }));
    }
    for number in 0..1_000 {
        all.set(&reader(number), Some(Wanted { of: names(number + 7).collect() }));
    }
    assert!(all.contains(&product(1_105), MessageKind::Event) && !all.contains(&product(6), MessageKind::Event));
}
