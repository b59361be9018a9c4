//! All end-to-end tests, as one program: one file for each part of what is promised.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "what goes wrong ends the test")]

mod sites;

mod acl;
mod addresses;
mod arguments;
mod balanced;
mod benchmark;
mod brokers;
mod callers;
mod cases;
mod commands;
mod configurations;
mod deployed;
mod disabled;
mod embedded;
mod external;
mod full_disk;
mod hanging;
mod instances;
mod instances_faults;
mod instances_rolling;
mod json;
mod learned;
mod lifecycle;
mod many;
mod observed;
mod odd_devices;
mod offline;
mod plugin_builds;
mod plugin_calls;
mod plugin_commands;
mod plugin_ends;
mod plugin_evil;
mod plugin_reserved;
mod plugin_starts;
mod plugin_swap;
mod postgres;
mod presence;
mod rabbitmq;
mod rabbitmq_confined;
mod rabbitmq_faults;
mod rabbitmq_mqtt;
mod rabbitmq_results;
mod raw_devices;
mod raw_in_order;
mod replies;
mod requests;
mod sdks;
mod secrets;
mod sockets;
mod taken_over;
mod tidy;
mod told;
mod topics;
