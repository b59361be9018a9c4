//! A request as code, in the languages that there are official SDKs for.
//!
//! **Invariants:** pure: from where the API listens, the action and its parameters comes a text. Whatever a value is, in the code it is
//! that value and nothing else (`literal`). Keys come from the environment, and no sample gives up before a call may end.

mod c_device;
mod cpp;
mod csharp;
mod curl;
mod go;
mod java;
mod literal;
mod node_new;
mod node_old;
mod php;
mod python_new;
mod python_old;

use crate::given::{Given, flat};

/// How long a sample waits for an answer: longer than a synchronous call takes, which is 8 s.
const READ_SECONDS: u32 = 12;
/// How long it waits for a connection.
const CONNECT_SECONDS: u32 = 5;

/// What a sample asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// Where the API listens: host and port.
    pub(crate) endpoint: &'a str,
    /// The action.
    pub(crate) action: &'a str,
    /// Its parameters.
    pub(crate) params: &'a [Given],
}

/// What the device's side of a sample is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceSide<'a> {
    /// Where the broker listens.
    pub(crate) broker: (&'a str, u16),
    /// The device.
    pub(crate) product: &'a str,
    pub(crate) device: &'a str,
    /// The service that it answers.
    pub(crate) service: &'a str,
    /// What it answers, as JSON.
    pub(crate) answer: &'a str,
}

/// A request in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// What it is called in addresses within the page.
    pub(crate) id: &'static str,
    /// The language and the SDK.
    pub(crate) name: &'static str,
    /// How the SDK is had.
    pub(crate) needs: &'static str,
    /// The code.
    pub(crate) code: String,
}

/// A request in every language.
pub(crate) fn all(ask: &Ask<'_>) -> Vec<Sample> {
    let of = |id, name, needs, code| Sample { id, name, needs, code };
    vec![
        of(
            "python-new",
            "Python · alibabacloud-iot20180120",
            "pip install alibabacloud-iot20180120",
            python_new::code(ask),
        ),
        of("python-old", "Python · aliyun-python-sdk-iot", "pip install aliyun-python-sdk-iot", python_old::code(ask)),
        of("node-new", "Node · @alicloud/iot20180120", "npm install @alicloud/iot20180120", node_new::code(ask)),
        of("node-old", "Node · @alicloud/pop-core", "npm install @alicloud/pop-core", node_old::code(ask)),
        of("java", "Java · aliyun-java-sdk-core", "com.aliyun:aliyun-java-sdk-core:4.6.4", java::code(ask)),
        of("go", "Go · alibaba-cloud-sdk-go", "go get github.com/aliyun/alibaba-cloud-sdk-go", go::code(ask)),
        of("php", "PHP · alibabacloud/client", "composer require alibabacloud/client", php::code(ask)),
        of("csharp", "C# · aliyun-net-sdk-core", "dotnet add package aliyun-net-sdk-core", csharp::code(ask)),
        of("cpp", "C++ · aliyun-openapi-cpp-sdk", "libalibabacloud-sdk-core", cpp::code(ask)),
        of("curl", "curl · openssl", "curl, openssl", curl::code(ask)),
    ]
}

/// The device's side: it gets a call of a service and answers it.
pub(crate) fn of_device(side: &DeviceSide<'_>) -> Sample {
    Sample { id: "c-device", name: "C · Link SDK 4", needs: "LinkSDK 4.x, data-model", code: c_device::code(side) }
}

/// Each parameter as a request has it, on a line of its own.
fn lines(ask: &Ask<'_>, line: impl Fn(&str, &str) -> String) -> String {
    flat(ask.params).iter().map(|(name, text)| line(name, text)).collect()
}

/// Whether it is an action of the platform's, which SDKs with classes for each have one for.
fn is_of_the_platform(action: &str) -> bool {
    !action.contains("FleetCall")
}

#[cfg(test)]
mod tests;
