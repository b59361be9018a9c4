//! Values that fit their types: examples for people, and replies of simulated devices.

use crate::check::DATE;
use crate::data_type::{Bounds, decimal};
use crate::{DataType, Field};

/// What samples are made from.
pub(crate) enum Source {
    /// Always the same, plain values.
    Example,
    /// Values that change with the state, which each value moves on.
    Random(u64),
}

/// Items of a sample's array, at most. Arrays inside arrays have one item, so a sample is not larger than its model.
const ARRAY_ITEMS_MAX: u32 = 3;

/// An object that has every field.
pub(crate) fn object(fields: &[Field], source: &mut Source) -> String {
    members(fields, source, ARRAY_ITEMS_MAX)
}

fn members(fields: &[Field], source: &mut Source, items_max: u32) -> String {
    let members: Vec<String> =
        fields.iter().map(|field| format!("\"{}\":{}", field.id, value(&field.data_type, source, items_max))).collect();
    format!("{{{}}}", members.join(","))
}

fn value(data_type: &DataType, source: &mut Source, items_max: u32) -> String {
    match data_type {
        DataType::Int { min, max } => source.int(*min, *max).to_string(),
        DataType::Float(bounds) | DataType::Double(bounds) => decimal(source.float(*bounds)),
        DataType::Text { bytes_max } => source.text(*bytes_max),
        DataType::Date => source.date(),
        DataType::Bool { .. } => source.int(0, 1).to_string(),
        DataType::Enum(keys) => {
            let index = source.below(keys.len());
            keys.get(index).map_or(0, |(key, _)| *key).to_string()
        }
        DataType::Array { items_max: size, item } => {
            let count = items_max.min(u32::try_from(*size).unwrap_or(items_max));
            let items: Vec<String> = (0..count).map(|_| value(item, source, 1)).collect();
            format!("[{}]", items.join(","))
        }
        DataType::Any => source.int(0, 1).to_string(),
        DataType::Struct(fields) => members(fields, source, items_max),
    }
}

impl Source {
    /// The next 64 bits (the mixing steps of splitmix64).
    fn next(&mut self) -> Option<u64> {
        let Self::Random(state) = self else { return None };
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some(mixed ^ (mixed >> 31))
    }

    /// A number below `count`; 0 for an example.
    fn below(&mut self, count: usize) -> usize {
        let random = self.next().unwrap_or(0);
        let below = random.checked_rem(u64::try_from(count).unwrap_or(u64::MAX));
        below.and_then(|below| usize::try_from(below).ok()).unwrap_or(0)
    }

    fn int(&mut self, min: i32, max: i32) -> i32 {
        let Some(random) = self.next() else { return 1.clamp(min, max) };
        let (min, max) = (i64::from(min), i64::from(max));
        let random = i64::from((random >> 32) as u32);
        i32::try_from(min + random % (max - min + 1)).unwrap_or(1)
    }

    fn float(&mut self, Bounds { min, max }: Bounds) -> f64 {
        let Some(random) = self.next() else { return 1.0f64.clamp(min, max) };
        let part = f64::from((random >> 32) as u32) / f64::from(u32::MAX);
        // Unbounded types take a number that a person can read.
        let (min_near, max_near) = (min.max(-1000.0).min(max), max.min(1000.0).max(min));
        let value = min_near * (1.0 - part) + max_near * part;
        let rounded = (value * 1000.0).round() / 1000.0;
        if (min..=max).contains(&rounded) { rounded } else { value.clamp(min, max) }
    }

    fn text(&mut self, bytes_max: usize) -> String {
        const WORDS: [&str; 8] = ["text", "alpha", "bravo", "delta", "echo", "hotel", "lima", "tango"];
        let word = WORDS.get(self.below(WORDS.len())).copied().unwrap_or_default();
        format!("\"{}\"", word.get(..bytes_max).unwrap_or(word))
    }

    fn date(&mut self) -> String {
        match self.next() {
            None => DATE.to_owned(),
            Some(random) => format!("\"{}\"", 1_700_000_000_000 + random % 100_000_000_000),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
