//! Certificates of the server, made by `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Files with certificates and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The authority.
    pub authority: PathBuf,
    /// What it vouches for: a server called `localhost`.
    pub server: PathBuf,
    /// That one's key.
    pub server_key: PathBuf,
}

impl Certificates {
    /// Makes them in this folder.
    ///
    /// # Panics
    /// If `openssl` fails.
    pub fn make(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        let (key, request, extensions) = (file("authority.key"), file("server.csr"), file("extensions"));
        let made =
            Self { authority: Self::authority(folder), server: file("server.pem"), server_key: file("server.key") };
        let new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-batch"];
        openssl(
            &new,
            &["-x509", "-days", "2", "-subj", "/CN=a test's authority"],
            &[("-keyout", &key), ("-out", &made.authority)],
        );
        openssl(&new, &["-subj", "/CN=localhost"], &[("-keyout", &made.server_key), ("-out", &request)]);
        std::fs::write(&extensions, "subjectAltName = DNS:localhost\n").expect("the scratch folder can be written");
        let files = [
            ("-in", &request),
            ("-CA", &made.authority),
            ("-CAkey", &key),
            ("-extfile", &extensions),
            ("-out", &made.server),
        ];
        openssl(&["x509", "-req", "-CAcreateserial", "-days", "2"], &[], &files);
        made
    }

    /// Where the authority of such a folder is.
    pub(crate) fn authority(folder: &Path) -> PathBuf {
        folder.join("authority.pem")
    }
}

fn openssl(before: &[&str], more: &[&str], files: &[(&str, &PathBuf)]) {
    let mut command = Command::new("openssl");
    command.args(before).args(more);
    for (flag, file) in files {
        command.arg(flag).arg(file);
    }
    let output = command.output().expect("openssl starts");
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}
