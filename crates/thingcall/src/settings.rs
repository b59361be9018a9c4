//! Settings of products: how they are told, and what a new registration is.

use serde_json::{Value, json};
use thingcall_tsl::{Pacing, ProductSecret, ProductSettings, RawAnswers, Registrants, Registration};

/// A product's settings, as the command line names them.
pub(crate) fn as_json(settings: ProductSettings) -> Value {
    let ProductSettings {
        validation,
        args_check,
        data_format,
        raw_answers,
        reply_check,
        sync_topic,
        pacing,
        transport,
        registration,
    } = settings;
    let registration = registration.map(|registration| registration.who);
    let pacing = if pacing == Pacing::default() { Value::Null } else { json!(pacing) };
    let raw_answers = if raw_answers == RawAnswers::default() { Value::Null } else { json!(raw_answers) };
    let mut told = json!({
        "validation": validation,
        "argsCheck": args_check,
        "dataFormat": data_format,
        "replyCheck": reply_check,
    });
    // Only where they are set.
    let set = [
        ("rawAnswers", raw_answers),
        ("syncTopic", json!(sync_topic)),
        ("pacing", pacing),
        ("transport", json!(transport)),
        ("registration", json!(registration)),
    ];
    for (name, value) in set {
        if let (Value::Object(told), false) = (&mut told, value.is_null()) {
            told.insert(name.to_owned(), value);
        }
    }
    told
}

/// Which secret devices shall prove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Secret {
    /// The one there is, else a new one.
    #[default]
    Kept,
    /// A new one.
    New,
    /// This one.
    This(ProductSecret),
}

/// What the registration of a product's devices becomes.
///
/// # Errors
/// If there is no chance to make up a secret.
pub(crate) fn registration(
    before: Option<Registration>,
    who: Registrants,
    secret: Secret,
) -> anyhow::Result<Option<Registration>> {
    let secret = match (secret, before.map(|before| before.secret)) {
        (Secret::This(secret), _) | (Secret::Kept, Some(secret)) => secret,
        // There is no secret to keep.
        (Secret::Kept, None) if who == Registrants::Off => return Ok(None),
        (Secret::Kept, None) | (Secret::New, _) => made_up()?,
    };
    Ok(Some(Registration { who, secret }))
}

/// As secrets of the platform's products: 16 letters and digits, each as likely as the others.
fn made_up() -> anyhow::Result<ProductSecret> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789__";
    let mut secret = String::new();
    while secret.len() < 16 {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        let letters = random.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 64)).copied().map(char::from));
        secret.extend(letters.filter(char::is_ascii_alphanumeric).take(16 - secret.len()));
    }
    Ok(ProductSecret::try_from(secret)?)
}
