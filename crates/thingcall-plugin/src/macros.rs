//! The one macro: it exports a plugin.

/// Exports a plugin: its manifest, and the function that gives its table.
///
/// `name` is 1 to 40 of a-z, 0-9 and `-`; `claims` and `codecs` are explained in `plugins/README.md`; `create` makes the
/// handler from a [`Setup`](crate::Setup), or says in a `String` why it cannot; `tokio: true` (with the feature `tokio`)
/// gives the plugin a runtime of its own.
#[macro_export]
macro_rules! plugin {
    (
        name: $name:literal,
        claims: [$($claim:literal),* $(,)?],
        $(codecs: [$($codec:literal),* $(,)?],)?
        handler: $handler:ty,
        create: $create:expr
        $(, tokio: $tokio:literal)? $(,)?
    ) => {
        #[doc(hidden)]
        #[allow(unsafe_code, non_upper_case_globals, missing_docs, reason = "the two symbols that a host looks for")]
        mod thingcall_plugin_exports {
            use super::*;

            pub(super) struct Exported;

            impl $crate::glue::Plugin for Exported {
                type Handler = $handler;
                const TOKIO: bool = false $(|| $tokio)?;

                fn create(setup: $crate::Setup<'_>) -> ::core::result::Result<$handler, ::std::string::String> {
                    $crate::glue::create_with($create, setup)
                }
            }

            #[cfg(panic = "abort")]
            macro_rules! panics { () => { "abort" } }
            #[cfg(not(panic = "abort"))]
            macro_rules! panics { () => { "unwind" } }

            const MANIFEST: &str = ::core::concat!(
                "{\"abi\":[1,0],\"name\":\"", $name, "\",\"version\":\"", ::core::env!("CARGO_PKG_VERSION"),
                "\",\"claims\":", $crate::json_list!($($claim),*),
                ",\"codecs\":", $crate::json_list!($($($codec),*)?),
                ",\"lang\":\"rust\",\"panic\":\"", panics!(), "\"}\0"
            );

            #[no_mangle]
            pub static thingcall_plugin_manifest_v1: [u8; MANIFEST.len()] = $crate::glue::array(MANIFEST);

            static TABLE: $crate::abi::PluginApi = $crate::glue::table::<Exported>();

            #[no_mangle]
            pub extern "C" fn thingcall_plugin_entry_v1() -> *const $crate::abi::PluginApi {
                &TABLE
            }
        }
    };
}

/// The text of a JSON array of texts that need no escapes.
#[doc(hidden)]
#[macro_export]
macro_rules! json_list {
    () => { "[]" };
    ($first:literal $(, $rest:literal)*) => { ::core::concat!("[\"", $first, "\"", $(",\"", $rest, "\"",)* "]") };
}
