//! Statuses of the ABI and what they mean here.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_status_is_a_fault_of_its_own_and_goes_out_as_it_came_in() {
    let statuses = E_SHUTDOWN..OK;
    let faults: BTreeSet<_> = statuses.clone().filter_map(|status| Fault::said(status).err()).collect();
    assert_eq!(faults.len(), statuses.clone().count());
    assert!(statuses.into_iter().all(|status| status_of(Fault::said(status)) == status));
    let words: BTreeSet<_> = faults.iter().map(|fault| fault.words()).collect();
    assert_eq!(words.len(), faults.len());
}

#[test]
fn an_invented_status_is_internal_and_none_above_0_is_a_fault() {
    for status in [E_SHUTDOWN - 1, -77, i32::MIN] {
        assert_eq!(Fault::said(status), Err(Fault::Internal));
    }
    for status in [OK, 1, i32::MAX] {
        assert_eq!(Fault::said(status), Ok(()));
    }
}
