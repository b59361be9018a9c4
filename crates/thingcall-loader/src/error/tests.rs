//! Facts about `error.rs`.

use super::*;

#[test]
fn abi_mismatch_is_counted_wherever_it_is_found() {
    let found = 2;
    for error in [
        LoadError::from(InspectError::OtherAbi { found }),
        InspectError::from(ManifestError::Abi { found }).into(),
        ImageError::Abi { found }.into(),
    ] {
        assert_eq!(error.result(), Some(LoadResult::AbiMismatch), "{error}");
    }
}

#[test]
fn what_is_no_refusal_of_a_file_is_not_counted() {
    let name = || "a".to_owned();
    for error in [LoadError::Disabled(name()), LoadError::UnknownPlugin(name()), LoadError::ShutDown] {
        assert_eq!(error.result(), None, "{error}");
    }
}
