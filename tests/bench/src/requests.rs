//! The requests of one turn, as bytes, made before its clock starts: to sign one takes as long as a server needs for a good
//! part of a call.
//!
//! A server takes a nonce once, so each of its calls has a request of its own; and it takes a time that is up to fifteen
//! minutes old, so a turn is over by then. Where nobody looks at nonces, a few requests come again and again.

use std::thread;

use anyhow::{Context, bail};
use thingcall_api::sign::{self, Signer};
use thingcall_core::UnixMillis;

use crate::pace::Plan;
use crate::registered::Called;

/// Some 700 bytes each.
const REQUESTS_MAX: usize = 4_000_000;
/// Of those that come again, so many that they lie in memory as the others do.
const REPEATED: usize = 100_000;
/// What devices are asked for is a number below this.
const PARAMS: usize = 1000;

/// The quality of service of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Qos {
    /// At most once
    #[default]
    #[value(name = "0")]
    Zero,
    /// At least once
    #[value(name = "1")]
    One,
}

impl Qos {
    pub(crate) const fn digit(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
        }
    }

    pub(crate) const fn delivery(self) -> thingcall_core::Qos {
        match self {
            Self::Zero => thingcall_core::Qos::AtMostOnce,
            Self::One => thingcall_core::Qos::AtLeastOnce,
        }
    }
}

/// How calls are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Signature {
    /// Within the query, as the older SDKs do
    V1,
    /// With headers (ACS3-HMAC-SHA256), as the newer ones do
    Acs3,
}

/// Requests in the order of the calls they are for.
pub(crate) struct Requests {
    all: Vec<Box<[u8]>>,
    repeat: bool,
}

/// What goes into each InvokeThingService.
pub(crate) struct Service {
    pub(crate) signer: Signer,
    pub(crate) signature: Signature,
    pub(crate) identifier: &'static str,
    pub(crate) qos: Qos,
}

/// How a request looks.
pub(crate) enum Form {
    /// InvokeThingService, signed.
    Service(Service),
    /// `{"device":...,"param1":...}`, as the peers take it.
    Json,
}

impl Requests {
    /// One for each call that the plan may make, to these devices in turns.
    ///
    /// # Errors
    /// If they are too many.
    pub(crate) fn once_each(form: &Form, host: &str, devices: &[Called], plan: Plan) -> anyhow::Result<Self> {
        let count = plan.calls_max();
        if count > REQUESTS_MAX {
            bail!(
                "{count} calls at most in a turn, and no more than {REQUESTS_MAX} requests are signed before it: ask for fewer \
                 --seconds, or a --rate or --signed-per-second that is lower"
            );
        }
        Ok(Self { all: made(count, &|number| form.request(host, devices, number))?, repeat: false })
    }

    /// A few that come again and again.
    ///
    /// # Errors
    /// If there are no devices.
    pub(crate) fn repeated(form: &Form, host: &str, devices: &[Called], plan: Plan) -> anyhow::Result<Self> {
        let count = plan.calls_max().min(REPEATED);
        Ok(Self { all: made(count, &|number| form.request(host, devices, number))?, repeat: true })
    }

    /// The request of the call of this number, and the parameter that its answer must hold.
    ///
    /// # Errors
    /// If none was made for it.
    pub(crate) fn of(&self, number: u64) -> anyhow::Result<(&[u8], usize)> {
        let number = usize::try_from(number)?;
        let index = if self.repeat { number % self.all.len().max(1) } else { number };
        let request = self.all.get(index).with_context(|| {
            format!(
                "all {} requests that were signed before the clock started are used up: raise --signed-per-second",
                self.all.len()
            )
        })?;
        Ok((request, index % PARAMS))
    }
}

/// On all processors.
fn made(count: usize, one: &(impl Fn(usize) -> anyhow::Result<Box<[u8]>> + Sync)) -> anyhow::Result<Vec<Box<[u8]>>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part = count.div_ceil(threads);
    let mut all = Vec::with_capacity(count);
    thread::scope(|scope| {
        let range = |thread: usize| (thread * part).min(count)..((thread + 1) * part).min(count);
        let start = |thread| scope.spawn(move || range(thread).map(one).collect::<anyhow::Result<Vec<_>>>());
        let parts: Vec<_> = (0..threads).map(start).collect();
        for part in parts {
            all.append(&mut part.join().map_err(|_| anyhow::anyhow!("a thread that signs panicked"))??);
        }
        Ok(all)
    })
}

impl Form {
    fn request(&self, host: &str, devices: &[Called], number: usize) -> anyhow::Result<Box<[u8]>> {
        let device = devices.get(number % devices.len().max(1)).context("no devices")?;
        let param = number % PARAMS;
        Ok(match self {
            Self::Service(service) => service.request(host, device, param),
            Self::Json => {
                let headers = [("host", host.to_owned()), ("content-type", "application/json".to_owned())];
                post("/", &headers, &format!(r#"{{"device":"{}","param1":{param}}}"#, device.name))
            }
        })
    }
}

impl Service {
    fn request(&self, host: &str, device: &Called, param: usize) -> Box<[u8]> {
        let args = format!(r#"{{"param1":{param}}}"#);
        let params = [
            ("ProductKey", device.product.as_ref()),
            ("DeviceName", device.name.as_str()),
            ("Identifier", self.identifier),
            ("Args", args.as_str()),
            ("Qos", self.qos.digit()),
        ];
        // QoS 0 is what a caller who does not care leaves out.
        let params = if self.qos == Qos::Zero { params.get(..4).unwrap_or(&params) } else { &params };
        let (action, now) = ("InvokeThingService", UnixMillis::now());
        match self.signature {
            Signature::V1 => {
                let query = sign::v1_request("POST", action, params, &self.signer, now);
                post(&format!("/?{query}"), &[("host", host.to_owned())], "")
            }
            Signature::Acs3 => {
                let signed = sign::acs3_request(host, action, params, &self.signer, now);
                post(&format!("/?{}", signed.query), &signed.headers, "")
            }
        }
    }
}

/// The bytes of a POST. `host` must be among the headers.
fn post(path: &str, headers: &[(&str, String)], body: &str) -> Box<[u8]> {
    let mut request = format!("POST {path} HTTP/1.1\r\n");
    for (name, value) in headers {
        for part in [name, ": ", value, "\r\n"] {
            request.push_str(part);
        }
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    request.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use thingcall_core::Secret;

    use super::*;

    const PLAN: Plan = Plan {
        in_flight: 8,
        rate: None,
        signed_per_second: 100,
        warm_up: Duration::from_secs(1),
        measured: Duration::from_secs(2),
    };

    fn service(signature: Signature) -> Form {
        let (key_id, secret) = ("LTAI".to_owned(), Secret::new("secret"));
        let signer = Signer { key_id, secret, security_token: None };
        Form::Service(Service { signer, signature, identifier: "s", qos: Qos::Zero })
    }

    fn devices() -> Vec<Called> {
        ["one", "two", "three"].map(|name| Called { product: "a1".into(), name: name.to_owned() }).to_vec()
    }

    #[test]
    fn each_call_has_a_request_of_its_own_and_there_are_no_more_than_were_planned() {
        for signature in [Signature::V1, Signature::Acs3] {
            let requests = Requests::once_each(&service(signature), "h:1", &devices(), PLAN).unwrap();

            let texts: Vec<_> = (0..300).map(|number| requests.of(number).unwrap()).collect();

            assert_eq!(texts.iter().map(|(text, _)| text).collect::<HashSet<_>>().len(), 300);
            for (number, (text, param)) in texts.into_iter().enumerate() {
                let text = std::str::from_utf8(text).unwrap();
                assert!(text.contains(&format!("DeviceName={}&", devices()[number % 3].name)), "{text}");
                assert!(text.contains(&format!("%3A{number}%7D")) && param == number, "{text}");
            }
            let none = requests.of(PLAN.calls_max() as u64).unwrap_err().to_string();
            assert!(none.contains("raise --signed-per-second"), "{none}");
        }
    }

    #[test]
    fn where_nobody_looks_at_nonces_requests_come_again() {
        let requests = Requests::repeated(&Form::Json, "h:1", &devices(), PLAN).unwrap();
        let count = PLAN.calls_max() as u64;

        assert_eq!(requests.of(count + 1).unwrap(), requests.of(1).unwrap());
        let text = br#"{"device":"two","param1":1}"#;
        let (request, param) = requests.of(1).unwrap();
        assert!(request.ends_with(text) && param == 1);
    }

    #[test]
    fn more_than_memory_should_hold_are_refused_with_what_to_do() {
        let plan = Plan { measured: Duration::from_secs(600), signed_per_second: 40_000, ..PLAN };

        let refused = Requests::once_each(&Form::Json, "h:1", &devices(), plan).map(drop).unwrap_err().to_string();

        assert!(refused.contains("--seconds") && refused.contains("24040008"), "{refused}");
    }
}
