//! What brokers ask, and where.
//!
//! **Invariant:** a closed list; paths and metric labels come from it alone.

use axum::response::Response;

use crate::broker::BrokersQuestion;
use crate::denial::Denial;
use crate::fields::{Fields, Form};
use crate::who::{Doorkeeper, Who};
use crate::{emqx, mosquitto, rabbitmq};

/// Makes the type of all questions from the brokers that ask them.
macro_rules! endpoints {
    ($($(#[$doc:meta])* $broker:ident: $question:ty,)*) => {
        /// A question, answered at `/{broker}/{word}`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Endpoint { $($(#[$doc])* $broker($question)),* }

        impl Endpoint {
            /// The broker and the word of each.
            pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
                let of = [$(words_of::<$question>()),*];
                of.into_iter().flatten()
            }

            /// The endpoint of a path such as `rabbitmq/user`.
            pub(crate) fn at(path: &str) -> Option<Self> {
                let (broker, word) = path.split_once('/')?;
                $(if broker == <$question>::BROKER {
                    return questions::<$question>().find(|(_, own)| *own == word).map(|(question, _)| Self::$broker(question));
                })*
                None
            }

            /// Who asks.
            pub(crate) const fn broker(self) -> &'static str {
                match self { $(Self::$broker(_) => <$question>::BROKER),* }
            }

            /// Whether the broker lets its other backends decide about a user that nobody knows here.
            pub(crate) const fn has_other_backends(self) -> bool {
                match self { $(Self::$broker(_) => <$question>::HAS_OTHER_BACKENDS),* }
            }

            /// The word in the path and in metrics.
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$broker(question) => question.into()),* }
            }

            /// Who asks here, if that one may do what it wants to.
            pub(crate) async fn decide<'a>(self, keeper: &'a Doorkeeper, fields: &Fields) -> Result<Who<'a>, Denial> {
                match self { $(Self::$broker(question) => question.decide(keeper, fields).await),* }
            }

            /// Says so to the broker.
            pub(crate) fn answer(
                self,
                keeper: &Doorkeeper,
                form: Form,
                decided: &Result<Who<'_>, Denial>,
            ) -> Response {
                match self { $(Self::$broker(question) => question.answer(keeper, form, decided)),* }
            }
        }
    };
}

endpoints! {
    /// RabbitMQ with `rabbitmq_auth_backend_http`.
    Rabbitmq: rabbitmq::Question,
    /// EMQX with its HTTP authentication and authorisation.
    Emqx: emqx::Question,
    /// Mosquitto with go-auth.
    Mosquitto: mosquitto::Question,
}

fn words_of<Q: BrokersQuestion>() -> Vec<(&'static str, &'static str)> {
    questions::<Q>().map(|(_, word)| (Q::BROKER, word)).collect()
}

/// All that a broker asks, each with its word.
fn questions<Q: BrokersQuestion>() -> impl Iterator<Item = (Q, &'static str)> {
    Q::VARIANTS.iter().map(|question| (*question, (*question).into()))
}
