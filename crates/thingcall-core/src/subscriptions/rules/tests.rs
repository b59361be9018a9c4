//! Names, limits and changes.

use super::*;
use crate::{Topic, UnixMillis};

fn group(number: usize) -> GroupId {
    GroupId::read(&format!("{number:026}")).unwrap()
}

fn subscription(product: &str, groups: &[usize]) -> Subscription {
    let groups = groups.iter().map(|number| group(*number)).collect();
    Subscription { product: product.try_into().unwrap(), topics: vec![Topic::DeviceData], groups }
}

fn limits(groups: usize, per_product: usize, per_group: usize) -> SubscriptionLimits {
    let some = |count| NonZeroUsize::new(count).unwrap();
    SubscriptionLimits {
        groups_max: some(groups),
        groups_per_product_max: some(per_product),
        products_per_group_max: some(per_group),
    }
}

#[test]
fn a_name_has_4_to_30_characters_and_chinese_counts_twice() {
    for name in ["abcd", "A_1_", "消费", "ひら", "カー", &"x".repeat(30), &"消".repeat(15), "消费ab"] {
        assert_eq!(ConsumerGroup::check_name(name), Ok(()), "{name}");
    }
    for (name, said) in [
        ("", "too short"),
        ("abc", "too short"),
        ("消a", "too short"),
        (&*"x".repeat(31), "too long"),
        (&*"消".repeat(16), "too long"),
        ("a group", "' '"),
        ("grüppe", "'ü'"),
        ("한국어그룹", "'한'"),
        ("a-group", "'-'"),
    ] {
        let refused = ConsumerGroup::check_name(name).unwrap_err().to_string();
        assert!(refused.contains(said), "{name}: {refused}");
    }
}

#[test]
fn limits_are_those_of_the_platform() {
    assert_eq!(SubscriptionLimits::default(), limits(1000, 10, 1000));
}

#[test]
fn one_more_than_the_limit_is_refused() {
    let limits = limits(2, 2, 1);
    let new =
        |number, name: &str| ConsumerGroup { id: group(number), name: name.to_owned(), created_at: UnixMillis(0) };
    let there = |numbers: &[usize]| numbers.iter().map(|it| (group(*it), Arc::new(new(*it, "there")))).collect();
    assert_eq!(limits.check_group(&new(2, "group"), &there(&[1])), Ok(()));
    assert!(matches!(limits.check_group(&new(3, "group"), &there(&[1, 2])), Err(SubscriptionError::Full(_))));
    for refused in [new(2, "g"), new(1, "group")] {
        assert!(
            matches!(limits.check_group(&refused, &there(&[1])), Err(SubscriptionError::Refused(_))),
            "{refused:?}"
        );
    }

    let other = subscription("other", &[1]);
    let others = || [&other].into_iter();
    assert_eq!(limits.check_subscription(&subscription("p", &[2, 3]), others()), Ok(()));
    for groups in [&[2, 3, 4][..], &[1]] {
        let refused = limits.check_subscription(&subscription("p", groups), others());
        assert!(matches!(refused, Err(SubscriptionError::Full(_))), "{groups:?}: {refused:?}");
    }
}

#[test]
fn a_subscription_is_to_something_and_goes_to_somebody_once() {
    let limits = SubscriptionLimits::default();
    let to_nobody = subscription("p", &[]);
    let to_nothing = Subscription { topics: Vec::new(), ..subscription("p", &[1]) };
    for wrong in [to_nobody, to_nothing, subscription("p", &[1, 2, 1])] {
        let refused = limits.check_subscription(&wrong, std::iter::empty());
        assert!(matches!(refused, Err(SubscriptionError::Refused(_))), "{wrong:?}");
    }
}

#[test]
fn groups_join_and_leave_but_the_last() {
    let old = subscription("p", &[1]);
    let both = SubscriptionChange::Add(group(2)).of(&old).unwrap();
    assert_eq!(both, subscription("p", &[1, 2]));
    assert_eq!(SubscriptionChange::Add(group(2)).of(&both).as_ref(), Ok(&both), "again");
    assert_eq!(SubscriptionChange::Remove(group(1)).of(&both), Ok(subscription("p", &[2])));
    for group in [group(1), group(3)] {
        assert!(matches!(SubscriptionChange::Remove(group).of(&old), Err(SubscriptionError::Refused(_))));
    }
    let to = SubscriptionChange::To { topics: vec![Topic::DeviceStatus], groups: vec![group(4)] };
    let expected = Subscription { topics: vec![Topic::DeviceStatus], ..subscription("p", &[4]) };
    assert_eq!(to.of(&old), Ok(expected));
}
