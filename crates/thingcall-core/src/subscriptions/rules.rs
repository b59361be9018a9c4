//! What groups and subscriptions may be.
//!
//! **Invariant:** pure: whoever keeps them asks here in the transaction that changes them, and all refuse with the same words.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::Deserialize;

use super::{ConsumerGroup, GroupId, Subscription, SubscriptionChange, SubscriptionError};

/// How many there may be. By default as many as at Alibaba's platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubscriptionLimits {
    /// Groups, with the default one.
    pub groups_max: NonZeroUsize,
    /// Groups that a product's messages go to.
    pub groups_per_product_max: NonZeroUsize,
    /// Products whose messages go to one group.
    pub products_per_group_max: NonZeroUsize,
}

impl Default for SubscriptionLimits {
    fn default() -> Self {
        Self {
            groups_max: const { NonZeroUsize::new(1000).unwrap() },
            groups_per_product_max: const { NonZeroUsize::new(10).unwrap() },
            products_per_group_max: const { NonZeroUsize::new(1000).unwrap() },
        }
    }
}

impl SubscriptionLimits {
    /// Whether there may be this group too, beside these.
    ///
    /// # Errors
    /// `Refused` for its name or its id, or `Full`.
    pub fn check_group(
        &self,
        new: &ConsumerGroup,
        groups: &BTreeMap<GroupId, Arc<ConsumerGroup>>,
    ) -> Result<(), SubscriptionError> {
        ConsumerGroup::check_name(&new.name)?;
        if let Some(there) = groups.get(&new.id) {
            return Err(refused(format!("consumer group {} exists already; it is called {:?}", there.id, there.name)));
        }
        let there_are = groups.len();
        let max = self.groups_max.get();
        if there_are < max {
            return Ok(());
        }
        Err(SubscriptionError::Full(format!("there are {there_are} consumer groups and {max} are allowed")))
    }

    /// Whether this subscription may be, beside `others`: those of other products. That its product and its groups are there is
    /// for whoever keeps them to see.
    ///
    /// # Errors
    /// `Refused`, or `Full`.
    pub fn check_subscription<'a>(
        &self,
        new: &Subscription,
        others: impl Iterator<Item = &'a Subscription> + Clone,
    ) -> Result<(), SubscriptionError> {
        let Subscription { product, topics, groups } = new;
        if topics.is_empty() {
            return Err(refused(format!(
                "the subscription of product {product} is to nothing; it needs one topic or more"
            )));
        }
        if groups.is_empty() {
            return Err(refused(format!(
                "the subscription of product {product} goes to nobody; it needs one consumer group or more"
            )));
        }
        if let Some(twice) = twice(groups) {
            return Err(refused(format!("consumer group {twice} is given twice for product {product}; once is right")));
        }
        let max = self.groups_per_product_max.get();
        if groups.len() > max {
            let count = groups.len();
            return Err(SubscriptionError::Full(format!(
                "{count} consumer groups are given for product {product} and {max} are allowed for one product"
            )));
        }
        let max = self.products_per_group_max.get();
        let full =
            groups.iter().find(|group| others.clone().filter(|other| other.groups.contains(group)).count() >= max);
        full.map_or(Ok(()), |group| {
            Err(SubscriptionError::Full(format!(
                "{max} products are subscribed for consumer group {group} already, as many as are allowed for one group"
            )))
        })
    }
}

impl ConsumerGroup {
    /// The fewest characters of a name.
    pub const NAME_CHARS_MIN: usize = 4;
    /// The most.
    pub const NAME_CHARS_MAX: usize = 30;

    /// Whether a group may be called so: 4 to 30 letters, digits and `_`; characters of Chinese and Japanese count twice.
    ///
    /// # Errors
    /// `Refused`, with what would be right.
    pub fn check_name(name: &str) -> Result<(), SubscriptionError> {
        let right = "letters, digits, _, and characters of Chinese and Japanese, of which each counts as two";
        let (min, max) = (Self::NAME_CHARS_MIN, Self::NAME_CHARS_MAX);
        let mut counted = 0_usize;
        for c in name.chars() {
            counted += match c {
                c if c.is_ascii_alphanumeric() || c == '_' => 1,
                c if is_chinese_or_japanese(c) => 2,
                c => {
                    return Err(refused(format!("a consumer group's name holds {c:?}; right are {right}")));
                }
            };
            if counted > max {
                return Err(refused(format!(
                    "a consumer group's name is too long; right are {min} to {max} of {right}"
                )));
            }
        }
        if counted < min {
            return Err(refused(format!(
                "a consumer group's name {name:?} is too short; right are {min} to {max} of {right}"
            )));
        }
        Ok(())
    }
}

/// Han, Hiragana, Katakana, and the signs of repetition and length among them.
const fn is_chinese_or_japanese(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

impl SubscriptionChange {
    /// The subscription as it is then.
    ///
    /// # Errors
    /// `Refused`.
    pub fn of(self, old: &Subscription) -> Result<Subscription, SubscriptionError> {
        let mut new = old.clone();
        match self {
            Self::To { topics, groups } => (new.topics, new.groups) = (topics, groups),
            Self::Add(group) => {
                if !new.groups.contains(&group) {
                    new.groups.push(group);
                }
            }
            Self::Remove(group) => leave(&mut new, &group)?,
        }
        Ok(new)
    }
}

fn leave(subscription: &mut Subscription, group: &GroupId) -> Result<(), SubscriptionError> {
    let Subscription { product, groups, .. } = subscription;
    if !groups.contains(group) {
        return Err(refused(format!("the subscription of product {product} does not go to consumer group {group}")));
    }
    if groups.len() == 1 {
        return Err(refused(format!(
            "consumer group {group} is the last one of the subscription of product {product}; remove the subscription instead"
        )));
    }
    groups.retain(|other| other != group);
    Ok(())
}

/// One that stands there more than once.
fn twice(groups: &[GroupId]) -> Option<&GroupId> {
    let mut seen = HashSet::with_capacity(groups.len());
    groups.iter().find(|group| !seen.insert(*group))
}

fn refused(why: String) -> SubscriptionError {
    SubscriptionError::Refused(why)
}

#[cfg(test)]
mod tests;
