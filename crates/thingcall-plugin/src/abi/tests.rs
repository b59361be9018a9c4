//! The C header against this module, by a C compiler: every size, every offset, every number. And the README's C.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Bytes, CallResult, CodecRequest, Forward, HostApi, PluginApi, Request};

/// What a header says: of each expression its value.
type Numbers = BTreeMap<String, i64>;

/// Sizes and offsets of a struct. One that is not named here does not compile.
macro_rules! layout {
    ($numbers:ident, $c:literal, $rust:ident { $($field:ident),* $(,)? }) => {
        let _whole = |value: $rust| { let $rust { $($field: _),* } = value; };
        $numbers.insert(format!("sizeof({})", $c), number(size_of::<$rust>()));
        $($numbers.insert(
            format!("offsetof({}, {})", $c, stringify!($field)),
            number(std::mem::offset_of!($rust, $field)),
        );)*
    };
}

macro_rules! constants {
    ($numbers:ident, $($name:ident),* $(,)?) => {
        $($numbers.insert(concat!("THINGCALL_", stringify!($name)).to_owned(), i64::from(super::$name));)*
    };
}

fn number(size: usize) -> i64 {
    i64::try_from(size).unwrap()
}

fn ours() -> Numbers {
    let mut numbers = versions();
    layout!(numbers, "thingcall_bytes", Bytes { ptr, len });
    layout!(
        numbers,
        "thingcall_request",
        Request {
            struct_size,
            mode,
            format,
            reserved0,
            timeout_ms,
            product_key,
            device_name,
            identifier,
            module,
            service,
            request_id,
            args,
            traceparent,
            tracestate,
        }
    );
    layout!(numbers, "thingcall_result", CallResult { struct_size, status, code, format, data, message });
    layout!(numbers, "thingcall_forward", Forward { struct_size, format, timeout_ms, args });
    layout!(
        numbers,
        "thingcall_host_api",
        HostApi {
            struct_size,
            abi_major,
            abi_minor,
            complete,
            wake,
            forward,
            timer,
            cancel,
            remaining_ms,
            log_enabled,
            log,
            metric_define,
            metric_record,
            out_write,
        }
    );
    layout!(
        numbers,
        "thingcall_codec_req",
        CodecRequest { struct_size, reserved0, product_key, device_name, identifier, input }
    );
    layout!(
        numbers,
        "thingcall_plugin_api",
        PluginApi { struct_size, abi_major, abi_minor, create, begin, poll, end, decode, encode, destroy }
    );
    constants!(numbers, OK, E_STALE, E_INVAL, E_LIMIT, E_CANCELLED, E_TIMEOUT, E_OFFLINE, E_PANIC, E_UNSUPPORTED);
    constants!(numbers, E_INTERNAL, E_SHUTDOWN, MODE_SYNC, MODE_ASYNC, FORMAT_JSON, FORMAT_RAW, CODE_SUCCESS);
    constants!(numbers, CODE_ACCEPTED, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE);
    constants!(numbers, METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM);
    numbers
}

fn versions() -> Numbers {
    let versions = [("THINGCALL_ABI_MAJOR", super::MAJOR), ("THINGCALL_ABI_MINOR", super::MINOR)];
    versions.into_iter().map(|(name, number)| (name.to_owned(), i64::from(number))).collect()
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compiles C99, to the letter.
fn compile(source: &str, arguments: &[&str], to: &Path) {
    let mut compiler = Command::new("cc")
        .args(["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-x", "c", "-", "-I"])
        .arg(here().join("include"))
        .args(arguments)
        .arg("-o")
        .arg(to)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a C compiler");
    compiler.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    let output = compiler.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn header_has_the_same_layout_and_numbers() {
    let ours = ours();
    let mut program = "#include \"thingcall_plugin.h\"\n#include <stdio.h>\nint main(void) {\n".to_owned();
    for expression in ours.keys() {
        writeln!(program, "  printf(\"%lld %s\\n\", (long long)({expression}), \"{expression}\");").unwrap();
    }
    program.push_str("  return 0;\n}\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("layout");
    compile(&program, &[], &file);

    let printed = Command::new(file).output().unwrap();

    let printed = String::from_utf8(printed.stdout).unwrap();
    let lines = printed.lines().map(|line| line.split_once(' ').unwrap());
    let theirs: Numbers = lines.map(|(value, expression)| (expression.to_owned(), value.parse().unwrap())).collect();
    assert_eq!(theirs, ours);
}

#[test]
fn header_has_no_number_that_is_not_here() {
    let header = std::fs::read_to_string(here().join("include/thingcall_plugin.h")).unwrap();
    let ours = ours();
    let defined = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' '));

    let missing: Vec<_> = defined
        .filter(|(_, value)| value.trim_start().starts_with(|c: char| c == '-' || c.is_ascii_digit()))
        .map(|(name, _)| name)
        .filter(|name| !ours.contains_key(*name))
        .collect();

    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn plugin_in_c_of_the_readme_compiles() {
    let readme = std::fs::read_to_string(here().join("README.md")).unwrap();
    let (_, after) = readme.split_once("```c\n").unwrap();
    let (source, _) = after.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();

    let arguments = ["-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-z,defs"];
    compile(source, &arguments, &folder.path().join("plugin.so"));
}
