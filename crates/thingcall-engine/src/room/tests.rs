//! Who finds room, and how much there is.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// How many more of this product and account find room.
fn fill(room: &Room, product: &str, account: &str) -> (usize, NoRoom) {
    let mut taken = 0;
    loop {
        match room.enter(product, Some(account)) {
            Ok(_held) => taken += 1,
            Err(why) => return (taken, why),
        }
    }
}

#[test]
fn one_product_leaves_room_for_another_and_many_get_even_parts() {
    let room = Room::new(9000);
    assert_eq!(fill(&room, "noisy", "one"), (8000, NoRoom::Product));
    assert_eq!(room.enter("quiet", Some("two")).map(drop), Ok(()));

    let room = Room::new(17_000);
    let mut taken = [0, 0];
    loop {
        let entered = ["a", "b"].map(|name| room.enter(name, None).is_ok());
        taken = std::array::from_fn(|index| taken[index] + usize::from(entered[index]));
        if entered == [false, false] {
            break;
        }
    }
    assert!(taken.iter().all(|taken| (7_990..=8_010).contains(taken)), "{taken:?}");
}

#[test]
fn one_account_leaves_room_for_another_whatever_products_it_calls() {
    let room = Room::new(9000);
    let products: Vec<_> = (0..20).map(|number| format!("p{number}")).collect();
    let mut taken = 0;
    let why = 'full: loop {
        for product in &products {
            match room.enter(product, Some("noisy")) {
                Ok(_held) => taken += 1,
                Err(why) => break 'full why,
            }
        }
    };
    assert_eq!((taken, why), (8000, NoRoom::Account));
    assert_eq!(room.enter("p0", Some("quiet")).map(drop), Ok(()));
    assert_eq!(room.enter("p0", None).map(drop), Ok(()), "what the server calls by itself");
}

#[test]
fn one_account_at_any_number_of_products_does_not_fill_what_is_left_last() {
    let room = Room::new(1600);
    let entered = (0..4000).filter(|number| room.enter(&format!("p{number}"), Some("noisy")).is_ok()).count();
    assert!((1400..=1500).contains(&entered), "{entered}");
    assert_eq!(room.enter("another", Some("quiet")).map(drop), Ok(()));
}

#[test]
fn a_product_of_which_few_wait_finds_room_whoever_calls_it() {
    let room = Room::new(9000);
    assert_eq!(fill(&room, "noisy", "one").0, 8000);
    while room.enter("other", Some("one")).is_ok() {}
    assert_eq!((0..20).filter(|_| room.enter("quiet", Some("one")).is_ok()).count(), FEW);
    assert_eq!((0..20).filter(|_| room.enter("noisy", Some("two")).is_ok()).count(), FEW);
}

#[test]
fn few_places_are_for_whoever_comes_first() {
    for max in 1..=8 {
        let room = Room::new(max);
        assert_eq!(fill(&room, "one", "one"), (max, NoRoom::Full), "{max}");
    }
}

#[test]
fn what_leaves_makes_room_and_who_is_refused_takes_none() {
    let room = Room::new(1);
    let place = room.enter("p", Some("a")).unwrap();
    for _ in 0..3 {
        assert_eq!(room.enter("p", Some("a")).err(), Some(NoRoom::Full));
    }
    room.leave(&place);
    assert_eq!(room.taken(), 0);
    assert_eq!(fill(&room, "p", "a"), (1, NoRoom::Full));
}

#[tokio::test(start_paused = true)]
async fn a_way_that_takes_too_long_gets_fewer_calls_and_more_again_when_it_does_not() {
    let room = Room::new(20_000);
    let at = |ms: u32| room.began + ms * MS;
    let look = |ms, delay| room.look(at(ms), 25 * MS, || delay * MS);
    assert_eq!(look(0, 500), None, "while few wait");
    let mut places: Vec<_> = (0..1000).map(|_| room.enter("p", None).unwrap()).collect();

    assert_eq!(look(10, 20), Some(20_000));
    assert_eq!(look(15, 500), None, "not so soon");
    assert_eq!(look(20, 50), Some(500), "twice as long: half of those that wait");
    assert_eq!(room.enter("p", None).err(), Some(NoRoom::Congested));
    assert_eq!(look(60, 500), None, "nor before it can show");
    assert_eq!(look(70, 26), Some(450));
    assert_eq!(look(100, 20), Some(479));

    for _ in 0..FEW {
        places.push(room.enter("quiet", Some("other")).unwrap());
    }
    assert_eq!(room.enter("quiet", Some("other")).err(), Some(NoRoom::Congested));
    for place in places {
        room.leave(&place);
    }
    let (mut ms, mut now) = (100, 479);
    while now < 20_000 {
        ms += 10;
        now = look(ms, 1).unwrap();
    }
    assert!(ms < 1000, "{ms} ms");
    assert_eq!(look(ms + 10, 1), None, "all is as it was");

    let places: Vec<_> = (0..100).map(|_| room.enter("p", None).unwrap()).collect();
    assert_eq!(look(5000, 100), Some(64));
    places.iter().for_each(|place| room.leave(place));
    assert_eq!(look(5110, 1), Some(69));
    assert_eq!(look(6200, 1), Some(20_000), "hardly anybody called for a second");
}

#[tokio::test(start_paused = true)]
async fn some_calls_may_wait_however_long_the_way_takes_and_with_zero_it_is_not_looked_at() {
    let room = Room::new(20_000);
    let places: Vec<_> = (0..100).map(|_| room.enter("p", None).unwrap()).collect();
    let at = |ms: u32| room.began + ms * MS;
    assert_eq!(room.look(at(0), Duration::ZERO, || panic!("not asked")), None);
    for ms in [0, 200, 400] {
        assert_eq!(room.look(at(ms), 25 * MS, || 5000 * MS), Some(FLOOR));
    }
    drop(places);
}
