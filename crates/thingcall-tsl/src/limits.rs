//! Limits of thing models and of what is checked against them. The numbers of a model's parts are Alibaba's
//! (`PROTOCOL.md` 7.2); the others are ours.

/// Properties, events and services a module may have, the built-in ones not counted.
pub const FEATURES_MAX: usize = 300;
/// Custom modules a model may have.
pub const MODULES_MAX: usize = 200;
/// Longest text, in bytes of UTF-8; also the length of a text that declares none.
pub const TEXT_BYTES_MAX: usize = 10_240;
/// Items an array may have.
pub const ARRAY_ITEMS_MAX: usize = 512;
/// Keys an enum may have.
pub const ENUM_KEYS_MAX: usize = 100;
/// Members a struct may have.
pub const STRUCT_MEMBERS_MAX: usize = 50;
/// Inputs a service may have.
pub const INPUTS_MAX: usize = 100;
/// Outputs a service or an event may have.
pub const OUTPUTS_MAX: usize = 100;

/// Size of one file of a model, in bytes.
pub const MODEL_FILE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Size of all files of a model together, in bytes.
pub const MODEL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How deep objects and arrays of a model's file may nest.
pub const MODEL_FILE_DEPTH_MAX: usize = 64;
/// How deep arrays and structs may nest in a data type.
pub const DATA_TYPE_DEPTH_MAX: usize = 16;
/// How deep objects and arrays of arguments and replies may nest, the outermost object counted.
pub const ARGS_DEPTH_MAX: usize = 32;

/// Problems that are told of one model; the others are counted.
pub(crate) const PROBLEMS_MAX: usize = 100;
/// Names that are listed in a text for people; the others are counted.
pub(crate) const NAMES_LISTED_MAX: usize = 20;
/// Characters of a found value that are quoted in a text for people.
pub(crate) const QUOTED_CHARS_MAX: usize = 48;
