//! What actions and their parameters are, as data: what forms, samples and checks are made from.
//!
//! **Invariant:** it says what is read, and reads nothing itself; whoever performs the actions fills it in and holds it to what it does.

use strum::{EnumIter, IntoStaticStr};

/// A text in both languages of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bilingual {
    /// English.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

/// An action of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionSheet {
    /// Its name in requests.
    pub name: &'static str,
    /// What it belongs to.
    pub group: ActionGroup,
    /// What it does.
    pub about: Bilingual,
    /// What it reads, in the order in which people give it.
    pub params: &'static [ParamSheet],
}

/// What actions belong to, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum ActionGroup {
    /// Services and properties of devices.
    Calls,
    /// Messages of an application's own.
    Messages,
    /// Calls of many devices that the server makes by itself.
    FleetCalls,
    /// Devices.
    Devices,
    /// Batches of them.
    Batches,
    /// What devices reported and were called.
    History,
    /// Products.
    Products,
    /// Their thing models.
    Models,
    /// Consumer groups.
    ConsumerGroups,
    /// What goes to them.
    Subscriptions,
}

/// A parameter of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamSheet {
    /// Its name in requests, without the numbers of a list.
    pub name: &'static str,
    /// What it may be.
    pub kind: ParamKind,
    /// Whether it must be there.
    pub need: Need,
    /// What it says.
    pub about: Bilingual,
    /// A value that may be: of a list one of its values, of a structure nothing.
    pub example: &'static str,
}

/// Whether a parameter must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Always,
    /// Unless one of these is given.
    Unless(&'static [&'static str]),
    /// No.
    Never,
}

/// What a parameter may be. Whatever it is, it is sent as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// A text.
    Text {
        /// How long it may be, where that is limited.
        characters_max: Option<u32>,
    },
    /// A whole number.
    Whole {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// Milliseconds since 1970.
    Millis,
    /// `true` or `false`.
    Flag,
    /// One of these, each with what it means.
    Choice(&'static [(&'static str, Bilingual)]),
    /// JSON.
    Json,
    /// Bytes in Base64.
    Base64 {
        /// How many bytes it may be.
        bytes_max: u32,
    },
    /// A list `X.1`, `X.2`, ... of texts.
    Texts {
        /// How many there may be.
        count_max: u32,
    },
    /// A list of structures `X.1.Y`, `X.1.Z`, `X.2.Y`, ...
    Structures {
        /// How many there may be.
        count_max: u32,
        /// What each is made of.
        members: &'static [ParamSheet],
    },
}

impl ParamSheet {
    /// One that must be there.
    pub const fn required(name: &'static str, kind: ParamKind, about: Bilingual, example: &'static str) -> Self {
        Self { name, kind, need: Need::Always, about, example }
    }

    /// One that may be there.
    pub const fn optional(name: &'static str, kind: ParamKind, about: Bilingual, example: &'static str) -> Self {
        Self { name, kind, need: Need::Never, about, example }
    }

    /// The same, which must be there unless one of these is.
    #[must_use]
    pub const fn unless(self, others: &'static [&'static str]) -> Self {
        Self { need: Need::Unless(others), ..self }
    }

    /// The same, which may be left out.
    #[must_use]
    pub const fn may_lack(self) -> Self {
        Self { need: Need::Never, ..self }
    }

    /// The same with another meaning.
    #[must_use]
    pub const fn saying(self, en: &'static str, zh: &'static str) -> Self {
        Self { about: Bilingual { en, zh }, ..self }
    }

    /// The same with another example.
    #[must_use]
    pub const fn such_as(self, example: &'static str) -> Self {
        Self { example, ..self }
    }
}

/// A text in both languages.
#[must_use]
pub const fn both(en: &'static str, zh: &'static str) -> Bilingual {
    Bilingual { en, zh }
}
