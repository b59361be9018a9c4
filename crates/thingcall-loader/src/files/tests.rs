//! Facts about `files.rs`.

use std::fs::{hard_link, set_permissions, write};
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A file that may be read, in a folder of ours.
fn file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().canonicalize().unwrap().join("x.so");
    write(&file, "bytes").unwrap();
    set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    (folder, file)
}

const SHA256_OF_BYTES: &str = "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9";

fn refusal(file: &Path) -> String {
    read(file, &[]).unwrap_err().to_string()
}

#[test]
fn file_is_read_with_its_hash() {
    let (_folder, file) = file();
    let read = read(&file, &[]).unwrap();
    assert_eq!((read.bytes.as_slice(), read.sha256.as_str()), (&b"bytes"[..], SHA256_OF_BYTES));
}

#[test]
fn allow_list_admits_what_is_on_it_alone() {
    let (_folder, file) = file();
    assert!(read(&file, &[format!(" {} ", SHA256_OF_BYTES.to_uppercase())]).is_ok());
    let error = read(&file, &["0".repeat(64)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "sha256 {SHA256_OF_BYTES} is not on the allow-list; add it to sha256_allowed in [loader] if it should be"
        )
    );
}

#[test]
fn file_that_others_can_write_is_refused() {
    let (_folder, file) = file();
    set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    let path = file.display();
    let told = format!("{path} is writable by group or others (mode 666); run: chmod go-w {path}");
    assert_eq!(refusal(&file), told);
}

#[test]
fn file_in_a_folder_that_others_can_write_is_refused() {
    let (folder, file) = file();
    set_permissions(folder.path(), Permissions::from_mode(0o770)).unwrap();
    let path = file.parent().unwrap().display();
    let told = format!("{path} is writable by group or others (mode 770); run: chmod go-w {path}");
    assert_eq!(refusal(&file), told);
}

#[test]
fn symbolic_link_is_refused_and_a_linked_folder_is_followed() {
    let (folder, file) = file();
    let link = folder.path().join("link.so");
    symlink(&file, &link).unwrap();
    assert_eq!(refusal(&link), format!("{} is a symbolic link; put the library itself there", link.display()));
    let elsewhere = TempDir::new().unwrap();
    let linked = elsewhere.path().join("plugins");
    symlink(folder.path(), &linked).unwrap();
    assert!(read(&linked.join("x.so"), &[]).is_ok());
}

#[test]
fn hard_link_is_a_file_as_any_other() {
    let (folder, file) = file();
    let other = folder.path().join("y.so");
    hard_link(&file, &other).unwrap();
    assert_eq!(read(&other, &[]).unwrap().sha256, SHA256_OF_BYTES);
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting_for_it() {
    let (folder, _file) = file();
    let pipe = folder.path().join("pipe.so");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert_eq!(refusal(&pipe), format!("{} is not a regular file", pipe.display()));
    let inner = folder.path().join("folder.so");
    std::fs::create_dir(&inner).unwrap();
    assert_eq!(refusal(&inner), format!("{} is not a regular file", inner.display()));
    assert!(
        refusal(&folder.path().join("gone.so")).ends_with("cannot be read: No such file or directory (os error 2)")
    );
}

#[test]
fn stamp_tells_contents_places_and_modes_apart() {
    let (_folder, file) = file();
    let stamp = || Stamp::of(&file).unwrap();
    let first = stamp();
    assert_eq!(first, stamp());
    set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let second = stamp();
    assert!(first != second && second.is_some());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(stamp(), None);
    assert_eq!(Stamp::of(&file.join("below")).unwrap(), None);
}

#[test]
fn copies_are_private_and_never_at_the_same_path() {
    let data = TempDir::new().unwrap();
    let copies = Copies::new(data.path().join("images"));
    let (one, two) = (copies.write("a", b"one").unwrap(), copies.write("a", b"two").unwrap());
    assert_ne!(one, two);
    assert_eq!(std::fs::read(&one).unwrap(), b"one");
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o7777;
    assert_eq!((mode(&one), mode(one.parent().unwrap())), (0o500, 0o700));
}

#[test]
fn folder_of_copies_is_made_private_again() {
    let data = TempDir::new().unwrap();
    let folder = data.path().join("images");
    DirBuilder::new().mode(0o755).create(&folder).unwrap();
    Copies::new(folder.clone()).write("a", b"one").unwrap();
    assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn copies_of_earlier_processes_are_removed_and_ours_stay() {
    let data = TempDir::new().unwrap();
    let copies = Copies::new(data.path().join("images"));
    copies.clean().unwrap();
    let ours = copies.write("a", b"ours").unwrap();
    // The same number of the process, at another time: as in a container.
    let earlier = ours.with_file_name(format!("a.{}-1.7.so", std::process::id()));
    write(&earlier, "earlier").unwrap();
    copies.clean().unwrap();
    assert!(ours.exists() && !earlier.exists());
}

#[test]
fn file_replaced_while_it_is_read_gives_one_whole_content() {
    let (folder, file) = file();
    let contents = [vec![b'a'; 300_000], vec![b'b'; 200_000]];
    write(&file, &contents[0]).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let replacing = scope.spawn({
            let (file, folder, contents, done) = (&file, &folder, &contents, &done);
            move || {
                for round in 0.. {
                    let beside = folder.path().join("beside");
                    write(&beside, &contents[round % 2]).unwrap();
                    set_permissions(&beside, Permissions::from_mode(0o644)).unwrap();
                    std::fs::rename(&beside, file).unwrap();
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }
        });
        for _ in 0..200 {
            let read = read(&file, &[]).unwrap();
            assert!(contents.contains(&read.bytes), "{} bytes of both", read.bytes.len());
        }
        done.store(true, Ordering::Relaxed);
        replacing.join().unwrap();
    });
}
