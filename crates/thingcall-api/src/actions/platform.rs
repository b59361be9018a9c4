//! The actions of Alibaba's API: all of them, so that a caller of one that is not there yet is told so.
//!
//! **Invariant:** the list is sorted, and every action that is here is in it, but for those of thingcall's own.

/// Their names, as the methods of Alibaba's own SDK have them (`alibabacloud-iot20180120` 5.1.0).
const NAMES: &str = include_str!("platform.txt");

/// Whether Alibaba's API has an action of this name.
pub(super) fn has(name: &str) -> bool {
    NAMES.lines().any(|other| other == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::Action;

    #[test]
    fn names_are_sorted_and_those_that_are_here_are_among_them() {
        let names: Vec<_> = NAMES.lines().collect();
        assert!(names.len() > 400 && names.is_sorted(), "{}", names.len());
        let mut others: Vec<_> = Action::all().map(Action::as_str).filter(|name| !has(name)).collect();
        others.sort_unstable();
        let own =
            ["CancelFleetCall", "CreateFleetCall", "QueryFleetCall", "QueryFleetCallDevices", "QueryFleetCallList"];
        assert_eq!(others, own);
    }
}
