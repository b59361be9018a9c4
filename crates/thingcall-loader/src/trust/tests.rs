//! Facts about `trust.rs`.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

/// A user that is neither root nor us.
fn stranger() -> u32 {
    if geteuid().as_raw() == 65534 { 65533 } else { 65534 }
}

#[test]
fn root_and_this_user_may_own_it() {
    let path = Path::new("/plugins/x.so");
    for owner in [0, geteuid().as_raw()] {
        assert_eq!(check_owner_and_mode(path, owner, 0o100755), Ok(()));
    }
}

#[test]
fn strangers_file_is_refused_with_what_to_do() {
    let (us, owner) = (geteuid().as_raw(), stranger());
    let error = check_owner_and_mode(Path::new("/plugins/x.so"), owner, 0o100755).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "/plugins/x.so belongs to user {owner}, not to root or the server's user {us}; run: chown {us} /plugins/x.so"
        )
    );
}

#[test]
fn file_that_others_can_write_is_refused_with_what_to_do() {
    let told = |mode| check_owner_and_mode(Path::new("/plugins/x.so"), 0, mode).map_err(|error| error.to_string());
    assert_eq!(
        told(0o100777).unwrap_err(),
        "/plugins/x.so is writable by group or others (mode 777); run: chmod go-w /plugins/x.so"
    );
    assert!(told(0o100775).is_err() && told(0o100757).is_err());
    assert!(told(0o100755).is_ok() && told(0o104700).is_ok());
}

#[test]
fn folder_and_all_above_are_checked() {
    let root = TempDir::new().unwrap();
    let inner = root.path().canonicalize().unwrap().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    let mode = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let above = inner.parent().unwrap();
    mode(&inner, 0o755);
    mode(above, 0o755);
    assert_eq!(check_folder(&inner), Ok(()));
    mode(above, 0o775);
    assert_eq!(check_folder(&inner), Err(UntrustedPath::Writable { path: above.to_owned(), mode: 0o775 }));
    mode(above, 0o755);
    mode(&inner, 0o757);
    assert_eq!(check_folder(&inner), Err(UntrustedPath::Writable { path: inner, mode: 0o757 }));
}

#[test]
fn shared_folder_of_roots_with_the_sticky_bit_may_be_above_but_not_hold_the_file() {
    let shared = Path::new("/tmp").canonicalize().unwrap();
    let found = shared.metadata().unwrap();
    assert!(found.uid() == 0 && found.mode() & STICKY != 0, "this system has another /tmp");
    let own = tempfile::tempdir_in(&shared).unwrap();
    assert_eq!(check_folder(own.path()), Ok(()));
    assert!(matches!(check_folder(&shared), Err(UntrustedPath::Writable { path, mode: 0o1777 }) if path == shared));
}
