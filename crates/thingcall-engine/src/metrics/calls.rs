//! How calls end, and what devices answer: the three families that products may have a part of their own in.

use enum_map::EnumMap;
use prometheus::IntCounter;
use thingcall_core::{CallMode, Outcome, TransportKind};
use thingcall_metrics::{Maker, Traced};

use super::products::{OfProducts, Products};
use super::{CALL_SECONDS, ReplyResult, Way};

const SYNC: &str = "sync";
/// Of those that found no way.
const NONE: &str = "none";

/// Of one product.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) of: EnumMap<CallMode, EnumMap<Way, EnumMap<Outcome, IntCounter>>>,
    /// Of calls that were refused before their service was found: neither their mode nor a way is known.
    pub(super) unknown: EnumMap<Outcome, IntCounter>,
}

/// The series.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) ends: OfProducts<Ends>,
    /// Of synchronous calls.
    pub(super) seconds: OfProducts<EnumMap<Way, Traced>>,
    pub(super) replies: OfProducts<EnumMap<TransportKind, EnumMap<ReplyResult, IntCounter>>>,
}

impl Calls {
    pub(super) fn register(make: Maker<'_>, products: &Products) -> Result<Self, prometheus::Error> {
        let (calls, took, replies) =
            ("Calls, when they end", "From accepted to answered, of synchronous calls", "Replies of devices");
        if products.is_none() {
            let calls = make.counter_family("calls_total", calls, ["mode", "transport", "outcome"])?;
            let took = make.histogram_family("call_duration_seconds", took, CALL_SECONDS, ["mode", "transport"])?;
            let replies = make.counter_family("replies_total", replies, ["transport", "result"])?;
            return Ok(Self {
                ends: products.series(|_| Ends { of: calls.series([]), unknown: calls.series(["unknown", NONE]) }),
                seconds: products.series(|_| took.series([SYNC])),
                replies: products.series(|_| replies.series([])),
            });
        }
        let calls = make.counter_family("calls_total", calls, ["product", "mode", "transport", "outcome"])?;
        let took =
            make.histogram_family("call_duration_seconds", took, CALL_SECONDS, ["product", "mode", "transport"])?;
        let replies = make.counter_family("replies_total", replies, ["product", "transport", "result"])?;
        Ok(Self {
            ends: products.series(|product| Ends {
                of: calls.series([product]),
                unknown: calls.series([product, "unknown", NONE]),
            }),
            seconds: products.series(|product| took.series([product, SYNC])),
            replies: products.series(|product| replies.series([product])),
        })
    }
}
