//! The one macro: it exports a plugin.

/// Exports a plugin: its manifest, and the function that gives its table.
///
/// - `name`: 1 to 40 of a-z, 0-9 and `-`; names the plugin's section of the configuration, its metrics and log lines.
/// - `claims`: the calls it handles: `"testFb:testService"`, `"testService"` (of the default module), `"testFb:*"`, `":*"`,
///   `"*"`, each also with a product before it: `"a1BwAGVxxxx/testFb:*"`. The operator can replace them.
/// - `codecs`, if any: the products whose bytes it translates: product keys, or `"*"`.
/// - `handler`: the type that implements [`Handler`](crate::Handler).
/// - `create`: makes the handler from a [`Setup`](crate::Setup), or says in a `String` why it cannot.
/// - `tokio: true`, with the feature `tokio`: gives the plugin a runtime of its own.
///
/// A name that no host would take does not compile:
///
/// ```compile_fail,E0080
/// # use thingcall_plugin::prelude::*;
/// # struct Plain;
/// # #[async_trait]
/// # impl Handler for Plain {}
/// thingcall_plugin::plugin! { name: "Test_Fb", claims: ["testFb:*"], handler: Plain, create: |_setup| Ok(Plain) }
/// # fn main() {}
/// ```
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
        #[allow(non_upper_case_globals, missing_docs, unused_imports, reason = "generated: the two symbols of a plugin")]
        mod thingcall_plugin_exports {
            use super::*;

            impl $crate::glue::Plugin for $handler {
                const TOKIO: bool = false $(|| $tokio)?;

                fn create(setup: $crate::Setup<'_>) -> ::core::result::Result<Self, ::std::string::String> {
                    $crate::glue::create_with($create, setup)
                }
            }

            const _: () = {
                $crate::manifest::check_name($name);
                $($crate::manifest::check_plain($claim);)*
                $($($crate::manifest::check_plain($codec);)*)?
            };

            #[cfg(panic = "abort")]
            const PANIC: &str = "abort";
            #[cfg(not(panic = "abort"))]
            const PANIC: &str = "unwind";

            const MANIFEST: &[&str] = &[
                "{\"abi\":[1,1],\"name\":\"", $name, "\",\"version\":\"", ::core::env!("CARGO_PKG_VERSION"),
                "\",\"claims\":", $crate::json_list!($($claim),*),
                ",\"codecs\":", $crate::json_list!($($($codec),*)?),
                ",\"lang\":\"rust\",\"panic\":\"", PANIC, "\",\"sdk\":\"", $crate::manifest::SDK, "\"}\0",
            ];

            #[unsafe(no_mangle)]
            pub(super) static thingcall_plugin_manifest_v1: [u8; $crate::manifest::length(MANIFEST)] =
                $crate::manifest::join(MANIFEST);

            static TABLE: $crate::abi::PluginApi = $crate::glue::table::<$handler>();

            #[unsafe(no_mangle)]
            pub(super) extern "C" fn thingcall_plugin_entry_v1() -> *const $crate::abi::PluginApi {
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
