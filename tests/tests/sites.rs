//! The servers that tests share, each started by the first test that needs it. A test that breaks, restarts or counts
//! starts one of its own.

use std::sync::OnceLock;

use thingcall_tests::Site;

/// The defaults: the embedded broker, 8 s for a synchronous call.
pub(crate) fn embedded() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site::embedded(&[]))
}

/// The same with 1 s for a synchronous call, for devices that do not answer.
pub(crate) fn impatient() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site::embedded(&[("ENGINE__REPLY_TIMEOUT", "1s")]))
}

/// Mosquitto in place of the embedded broker.
pub(crate) fn external() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site::external(&[]))
}

/// RabbitMQ in place of the embedded broker; thingcall knows it by AMQP alone and answers what it asks of devices.
pub(crate) fn rabbitmq() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site::behind_rabbitmq(&[]))
}
