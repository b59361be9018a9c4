//! What is remembered of a request.

use super::*;

#[test]
fn changes_are_remembered_in_their_order_and_beyond_a_number_counted() {
    let trail = Trail::default();
    trail.is_of("k");
    let refused = Refused { code: "Forbidden.RAM".to_owned(), text: String::new() };
    trail.step("CreateProduct", "ProductName=p".to_owned(), Some(&refused));
    for _ in 0..STEPS_MAX + 2 {
        trail.clone().step("RegisterDevice", String::new(), None);
    }
    let done = trail.so_far();
    assert_eq!((done.key.as_deref(), done.steps.len(), done.more), (Some("k"), STEPS_MAX, 3));
    assert_eq!((done.steps[0].outcome.as_str(), done.steps[1].outcome.as_str()), ("Forbidden.RAM", "done"));
}
