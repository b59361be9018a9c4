//! What an access key may do: rules that allow, and what they are asked about.
//!
//! **Invariants:** what no rule allows is not allowed; a list without rules allows nothing. Rules are read once, where they are
//! set; what cannot be read as one is no rule.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// How many rules a key may have.
const RULES_MAX: usize = 64;
/// How long a rule may be.
const RULE_BYTES_MAX: usize = 1024;

/// What a request is about. A request about several things is allowed if each of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// One device, also one that is not there.
    Device {
        /// Its product's key.
        product: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A product and all its devices.
    Product(&'a str),
    /// Products, without saying which: all of them, or one that is not there yet.
    AllProducts,
    /// A consumer group, by its id.
    Group(&'a str),
    /// Consumer groups, without saying which.
    AllGroups,
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| text.chars().take(64).collect::<String>();
        match self {
            Self::Device { product, name } => write!(f, "device {}/{}", short(product), short(name)),
            Self::Product(key) => write!(f, "product {}", short(key)),
            Self::AllProducts => f.write_str("all products"),
            Self::Group(id) => write!(f, "consumer group {}", short(id)),
            Self::AllGroups => f.write_str("all consumer groups"),
        }
    }
}

/// One rule: actions, and what they may be about.
///
/// As text: parts between semicolons, each a word, `=`, and patterns between commas. A `*` in a pattern stands for any
/// characters. Without `actions` it is of all actions; without any of `products`, `devices` and `groups` it is about
/// everything, and with some of them about what they name and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    text: String,
    actions: Option<Vec<Pattern>>,
    about: Option<About>,
}

/// What a rule is about, where that is not everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct About {
    products: Vec<Pattern>,
    devices: Vec<(Pattern, Pattern)>,
    groups: Vec<Pattern>,
}

/// A text in which `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(String);

/// The rules of a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    rules: Vec<Rule>,
    /// What must allow it, too.
    within: Option<Arc<AllowList>>,
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// It says nothing.
    #[error(
        "a rule is empty; right is such as 'actions=Query*,InvokeThingService;products=a1B*;devices=pk/dn*;groups=*'"
    )]
    Empty,
    /// It is too long.
    #[error("a rule has {0} bytes; at most {RULE_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// A part is none of those there are.
    #[error(
        "{0:?} is no part of a rule; right are actions=, products=, devices= and groups=, with semicolons between them"
    )]
    Part(String),
    /// A part is there twice.
    #[error("a rule has {0}= twice; put all its patterns in one, with commas")]
    Twice(&'static str),
    /// A pattern is none.
    #[error("{pattern:?} in {part}= is no pattern; right are A-Z a-z 0-9 . - _ @ : and * for any characters{more}")]
    Pattern {
        /// The part.
        part: &'static str,
        /// What stands there.
        pattern: String,
        /// What else is right there.
        more: &'static str,
    },
    /// There are too many.
    #[error("there are {0} rules; a key may have {RULES_MAX} at most")]
    TooMany(usize),
}

impl AllowList {
    /// These rules; one or more.
    ///
    /// # Errors
    /// Where there are none, or too many.
    pub fn new(rules: Vec<Rule>) -> Result<Self, BadRule> {
        match rules.len() {
            0 => Err(BadRule::Empty),
            count if count > RULES_MAX => Err(BadRule::TooMany(count)),
            _ => Ok(Self { rules, within: None }),
        }
    }

    /// Allows nothing.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The same rules, of which nothing counts that these do not allow, too.
    #[must_use]
    pub fn within(&self, outer: Arc<Self>) -> Self {
        Self { rules: self.rules.clone(), within: Some(outer) }
    }

    /// Whether some rule allows this.
    pub fn allows(&self, action: &str, target: Target<'_>) -> bool {
        self.rules.iter().any(|rule| rule.allows(action, target))
            && self.within.as_ref().is_none_or(|outer| outer.allows(action, target))
    }

    /// Whether some rule allows this about anything at all.
    pub fn may(&self, action: &str) -> bool {
        self.rules.iter().any(|rule| any(rule.actions.as_deref(), action))
            && self.within.as_ref().is_none_or(|outer| outer.may(action))
    }

    /// Whether some rule allows this action about some device of this product.
    pub fn allow_some_of(&self, action: &str, product: &str) -> bool {
        self.rules.iter().any(|rule| rule.allows_some_of(action, product))
            && self.within.as_ref().is_none_or(|outer| outer.allow_some_of(action, product))
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// One rule a line.
impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rule) in self.rules.iter().enumerate() {
            write!(f, "{}{rule}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl FromStr for AllowList {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        Self::new(text.lines().map(str::parse).collect::<Result<_, _>>()?)
    }
}

impl Rule {
    fn allows(&self, action: &str, target: Target<'_>) -> bool {
        any(self.actions.as_deref(), action) && self.about.as_ref().is_none_or(|about| about.names(target))
    }

    fn allows_some_of(&self, action: &str, product: &str) -> bool {
        let of_device = |about: &About| about.devices.iter().any(|(of, _)| of.matches(product));
        self.allows(action, Target::Product(product))
            || (any(self.actions.as_deref(), action) && self.about.as_ref().is_some_and(of_device))
    }

    /// The patterns of its actions that none of these names matches.
    pub fn useless_actions<'a, N: Iterator<Item = &'a str>>(
        &self,
        names: impl Fn() -> N,
    ) -> impl Iterator<Item = &str> {
        let useless = move |pattern: &&Pattern| !names().any(|name| pattern.matches(name));
        self.actions.iter().flatten().filter(useless).map(|pattern| &*pattern.0)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        if text.len() > RULE_BYTES_MAX {
            return Err(BadRule::TooLong(text.len()));
        }
        let (mut actions, mut products, mut devices, mut groups) = (None, None, None, None);
        let parts = || text.split(';').map(str::trim).filter(|part| !part.is_empty());
        for part in parts() {
            let bad = || BadRule::Part(part.chars().take(64).collect());
            let (word, patterns) = part.split_once('=').ok_or_else(bad)?;
            let (word, all): (_, &mut Option<Vec<&str>>) = match word.trim() {
                "actions" => ("actions", &mut actions),
                "products" => ("products", &mut products),
                "devices" => ("devices", &mut devices),
                "groups" => ("groups", &mut groups),
                _ => return Err(bad()),
            };
            if all.replace(patterns.split(',').map(str::trim).collect()).is_some() {
                return Err(BadRule::Twice(word));
            }
        }
        let mut shown = parts();
        let first = shown.next().ok_or(BadRule::Empty)?;
        let text = shown.fold(first.to_owned(), |text, part| text + ";" + part);
        let is_about = products.is_some() || devices.is_some() || groups.is_some();
        let about = About {
            products: patterns("products", products)?,
            devices: devices.unwrap_or_default().into_iter().map(device).collect::<Result<_, _>>()?,
            groups: patterns("groups", groups)?,
        };
        // As in policies of the platform's, which write `iot:` before each.
        let plain = |all: Vec<_>| all.into_iter().map(|one: &str| one.strip_prefix("iot:").unwrap_or(one)).collect();
        let actions = actions.map(|all| patterns("actions", Some(plain(all)))).transpose()?;
        Ok(Self { text, actions, about: is_about.then_some(about) })
    }
}

impl About {
    fn names(&self, target: Target<'_>) -> bool {
        let any = |patterns: &[Pattern], text| patterns.iter().any(|pattern| pattern.matches(text));
        match target {
            Target::Device { product, name } => {
                let named = |(of, names): &(Pattern, Pattern)| of.matches(product) && names.matches(name);
                any(&self.products, product) || self.devices.iter().any(named)
            }
            Target::Product(key) => any(&self.products, key),
            Target::AllProducts => self.products.iter().any(Pattern::is_all),
            Target::Group(id) => any(&self.groups, id),
            Target::AllGroups => self.groups.iter().any(Pattern::is_all),
        }
    }
}

/// Whether one of them matches; all do where there are none to choose from.
fn any(patterns: Option<&[Pattern]>, text: &str) -> bool {
    patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(text)))
}

fn patterns(part: &'static str, texts: Option<Vec<&str>>) -> Result<Vec<Pattern>, BadRule> {
    texts.unwrap_or_default().into_iter().map(|text| Pattern::read(part, text, "")).collect()
}

fn device(text: &str) -> Result<(Pattern, Pattern), BadRule> {
    let more = ", as PRODUCTKEY/DEVICENAME";
    let bad = || BadRule::Pattern { part: "devices", pattern: text.chars().take(64).collect(), more };
    let (product, name) = text.split_once('/').ok_or_else(bad)?;
    Ok((Pattern::read("devices", product, more)?, Pattern::read("devices", name, more)?))
}

impl Pattern {
    fn read(part: &'static str, text: &str, more: &'static str) -> Result<Self, BadRule> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_@:*".contains(&byte);
        if text.is_empty() || !text.bytes().all(fits) {
            return Err(BadRule::Pattern { part, pattern: text.chars().take(64).collect(), more });
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether every text is meant, also those that nobody names.
    fn is_all(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'*')
    }

    fn matches(&self, text: &str) -> bool {
        let (first, others) = match self.0.split_once('*') {
            None => return self.0 == text,
            Some(split) => split,
        };
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut others = others.split('*').peekable();
        while let Some(part) = others.next() {
            if others.peek().is_none() {
                return rest.ends_with(part);
            }
            // The leftmost place leaves most for the parts behind it.
            let Some((_, behind)) = rest.split_once(part) else { return false };
            rest = behind;
        }
        true
    }
}

#[cfg(test)]
mod tests;
