//! Devices that come for their secrets: what their product says, and what becomes of them.
//!
//! **Invariants:** nothing is looked up or registered for who did not sign with the product's secret. A device that has logged
//! in before is told nothing.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use enum_map::{Enum, EnumMap};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use prometheus::{IntCounter, Registry as Metering};
use serde::Deserialize;
use strum::IntoStaticStr;
use thingcall_alink as alink;
use thingcall_core::{
    DeviceKey, DeviceRef, Enrolled, Enrolment, EnrolsFor, LookUpFailed, NotEnrolled, Problem, Registrar, Secret,
    Section,
};
use thingcall_metrics::Maker;
use thingcall_store::Store;
use thingcall_tsl::{DeviceRecord, Directory, DirectoryError, NewDevice, Registrants, Registration, Registry};

/// How many devices may come, `[registration]` in the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// How many devices a second may come for their secrets.
    pub per_second_max: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self { per_second_max: NonZeroU32::new(50).unwrap_or(NonZeroU32::MIN) }
    }
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}

/// What became of a device that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Became {
    /// It has what it asked for.
    Told,
    /// The same, and it was registered for that.
    Registered,
    Off,
    Signature,
    Unknown,
    Activated,
    Disabled,
    Throttled,
    Failed,
}

/// Gives devices their secrets, as their products say.
pub(crate) struct Registrations {
    store: Arc<Store>,
    per_second_max: NonZeroU32,
    limiter: DefaultDirectRateLimiter,
    became: EnumMap<Became, IntCounter>,
}

impl Registrations {
    pub(crate) fn begin(
        store: &Arc<Store>,
        config: &Config,
        metering: &Metering,
    ) -> Result<Arc<dyn Registrar>, prometheus::Error> {
        let make = Maker::new(metering);
        let (per_second_max, help) = (config.per_second_max, "How many devices a second may come for their secrets");
        make.limit("registrations_per_second_limit", help, per_second_max.get() as usize)?;
        let help = "Devices that came for their secrets (dynamic registration), and what became of them";
        let became = make.counters("registrations_total", help, ["result"])?;
        let (store, limiter) = (store.clone(), RateLimiter::direct(Quota::per_second(per_second_max)));
        Ok(Arc::new(Self { store, per_second_max, limiter, became }))
    }

    async fn decide(&self, asked: &Enrolment) -> Result<(Enrolled, Became), NotEnrolled> {
        let product = self.store.product(&asked.device.product);
        let registration = product.and_then(|product| product.settings.registration);
        let registration = registration.filter(|registration| registration.who != Registrants::Off);
        let Some(registration) = registration else { return Err(NotEnrolled::Off(asked.device.product.clone())) };
        if self.limiter.check().is_err() {
            return Err(NotEnrolled::TooOften(self.per_second_max.get()));
        }
        alink::is_signed(asked, &Secret::new(registration.secret.expose()))?;
        let (record, became) = self.device(&asked.device, &registration).await?;
        if !record.device.enabled {
            return Err(NotEnrolled::Disabled(asked.device.clone()));
        }
        if record.activated_at.is_some() {
            return Err(NotEnrolled::Activated(asked.device.clone()));
        }
        let enrolled = match asked.wants {
            EnrolsFor::Secret => Enrolled::Secret(record.secret),
            EnrolsFor::Token => alink::token(&asked.device, &record.secret),
        };
        Ok((enrolled, became))
    }

    /// The device, registered now where it may be.
    async fn device(
        &self,
        key: &DeviceKey,
        registration: &Registration,
    ) -> Result<(DeviceRecord, Became), NotEnrolled> {
        match (self.store.device(&DeviceRef::Key(key.clone())).await, registration.who) {
            (Ok(record), Registrants::Off | Registrants::Registered | Registrants::Any) => {
                return Ok((record, Became::Told));
            }
            (Err(DirectoryError::NoDevice(_)), Registrants::Off | Registrants::Registered) => {
                return Err(NotEnrolled::Unknown(key.clone()));
            }
            (Err(DirectoryError::NoDevice(_)), Registrants::Any) => {}
            (Err(error), Registrants::Off | Registrants::Registered | Registrants::Any) => {
                return Err(LookUpFailed(error.to_string()).into());
            }
        }
        let (product, name) = (key.product.clone(), Some(key.name.clone()));
        let new = NewDevice { product, name, secret: None, nickname: None, transport: None };
        match self.store.register(new).await {
            Ok(record) => Ok((record, Became::Registered)),
            // It came twice at once.
            Err(DirectoryError::Exists(_)) => match self.store.device(&DeviceRef::Key(key.clone())).await {
                Ok(record) => Ok((record, Became::Told)),
                Err(error) => Err(LookUpFailed(error.to_string()).into()),
            },
            Err(error) => Err(NotEnrolled::NotRegistered(error.to_string())),
        }
    }
}

#[async_trait]
impl Registrar for Registrations {
    async fn enrol(&self, asked: &Enrolment) -> Result<Enrolled, NotEnrolled> {
        let decided = self.decide(asked).await;
        let became = match &decided {
            Ok((_, became)) => *became,
            Err(why) => refused(why),
        };
        self.became[became].inc();
        decided.map(|(enrolled, _)| enrolled)
    }
}

const fn refused(why: &NotEnrolled) -> Became {
    match why {
        NotEnrolled::Off(_) => Became::Off,
        NotEnrolled::SignMethod(_) | NotEnrolled::Sign(_) => Became::Signature,
        NotEnrolled::Unknown(_) => Became::Unknown,
        NotEnrolled::Activated(_) => Became::Activated,
        NotEnrolled::Disabled(_) => Became::Disabled,
        NotEnrolled::TooOften(_) => Became::Throttled,
        NotEnrolled::NotRegistered(_) | NotEnrolled::NotLookedUp(_) => Became::Failed,
    }
}
