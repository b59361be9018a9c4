//! Facts about `routes.rs`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use proptest::prelude::*;
use thingcall_core::{Answer, CallError, CodecError, Command, Decoded, Delivery, DeviceLink, RawReply};

use super::*;
use crate::testsite::{Echo, call};

/// Notes its name and calls what stands behind it.
struct Passing {
    name: String,
    passed: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Handler for Passing {
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        self.passed.lock().unwrap().push(self.name.clone());
        device.call(Command { service: call.service.clone(), params: call.args.clone() }).await
    }
}

struct Translator;

#[async_trait]
impl Codec for Translator {
    async fn encode(&self, _: &Delivery) -> Result<Bytes, CodecError> {
        Ok(Bytes::new())
    }

    async fn decode(&self, _: RawReply) -> Result<Decoded, CodecError> {
        Ok(Decoded::Nothing)
    }
}

#[derive(Default)]
struct Switch(AtomicBool);

impl Circuit for Switch {
    fn open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Plugins and the names that calls passed.
#[derive(Default)]
struct Table {
    members: Vec<Member>,
    passed: Arc<Mutex<Vec<String>>>,
}

impl Table {
    fn add(&mut self, name: &str, claims: &[&str], order: Option<i32>) -> &mut Member {
        let handler = Passing { name: name.to_owned(), passed: self.passed.clone() };
        self.members.push(Member {
            name: name.to_owned(),
            claims: claims.iter().map(|claim| claim.parse().unwrap()).collect(),
            codecs: Vec::new(),
            order,
            handler: Some(Arc::new(handler)),
            codec: None,
            bypass: None,
        });
        self.members.last_mut().unwrap()
    }

    /// The plugins that a call passes, in their order.
    fn passed_by(&self, call: &Call) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Some(handler) = Routes::of(&self.members).find(call) {
            runtime.block_on(handler.handle(call, &Echo::default())).unwrap();
        }
        std::mem::take(&mut self.passed.lock().unwrap())
    }
}

fn wish(name: &str, claims: &[&str], codecs: &[&str], order: Option<i32>) -> Wish {
    Wish {
        name: name.to_owned(),
        claims: claims.iter().map(|claim| claim.parse().unwrap()).collect(),
        codecs: codecs.iter().map(|codec| codec.parse().unwrap()).collect(),
        order,
    }
}

#[test]
fn most_specific_claim_wins() {
    let rows = ["*", "pk/*", "fb:*", "pk/fb:*", "fb:set", "pk/fb:set"];
    for most in 1..=rows.len() {
        let mut table = Table::default();
        for claim in &rows[..most] {
            table.add(claim, &[claim], None);
        }
        assert_eq!(table.passed_by(&call("pk", "fb:set")), [rows[most - 1]]);
    }
}

#[test]
fn default_module_has_claims_of_its_own() {
    let mut table = Table::default();
    table.add("module", &[":*"], None);
    table.add("service", &["set"], None);
    assert_eq!(table.passed_by(&call("pk", "set")), ["service"]);
    assert_eq!(table.passed_by(&call("pk", "get")), ["module"]);
    assert!(table.passed_by(&call("pk", "fb:set")).is_empty());
}

#[test]
fn claim_of_a_product_does_not_hold_for_another() {
    let mut table = Table::default();
    table.add("a", &["pk/*"], None);
    assert!(table.passed_by(&call("other", "set")).is_empty());
}

#[test]
fn plugins_with_order_stand_in_front_the_smaller_first() {
    let mut table = Table::default();
    table.add("late", &["*"], Some(9));
    table.add("own", &["fb:set"], None);
    table.add("early", &["pk/*", "fb:*"], Some(-1));
    table.add("elsewhere", &["gb:*"], Some(0));
    assert_eq!(table.passed_by(&call("pk", "fb:set")), ["early", "late", "own"]);
    assert_eq!(table.passed_by(&call("other", "set")), ["late"]);
}

#[test]
fn equal_orders_are_told_apart_by_name() {
    let mut table = Table::default();
    table.add("b", &["*"], Some(1));
    table.add("a", &["fb:*"], Some(1));
    assert_eq!(table.passed_by(&call("pk", "fb:set")), ["a", "b"]);
}

#[test]
fn calls_go_past_a_plugin_whose_circuit_is_open_but_not_to_a_wider_claim() {
    let (front, own) = (Arc::new(Switch::default()), Arc::new(Switch::default()));
    let mut table = Table::default();
    table.add("front", &["*"], Some(1)).bypass = Some(front.clone());
    table.add("own", &["fb:set"], None).bypass = Some(own.clone());
    table.add("wider", &["fb:*"], None);
    let passed = || table.passed_by(&call("pk", "fb:set"));
    assert_eq!(passed(), ["front", "own"]);
    own.0.store(true, Ordering::Relaxed);
    assert_eq!(passed(), ["front"]);
    front.0.store(true, Ordering::Relaxed);
    assert!(passed().is_empty());
    own.0.store(false, Ordering::Relaxed);
    assert_eq!(passed(), ["own"]);
}

#[test]
fn exact_product_wins_over_all_in_translation() {
    let codec = || -> Option<Arc<dyn Codec>> { Some(Arc::new(Translator)) };
    let mut table = Table::default();
    for (name, claims) in [("all", vec![CodecClaim::All]), ("one", vec!["pk".parse().unwrap()])] {
        let member = table.add(name, &[], None);
        (member.codecs, member.codec) = (claims, codec());
    }
    let routes = Routes::of(&table.members);
    let same = |found: Option<Arc<dyn Codec>>, index: usize| {
        Arc::ptr_eq(&found.unwrap(), table.members[index].codec.as_ref().unwrap())
    };
    assert!(same(routes.codec(&"pk".parse().unwrap()), 1));
    assert!(same(routes.codec(&"other".parse().unwrap()), 0));
    assert!(Routes::of(&table.members[1..]).codec(&"other".parse().unwrap()).is_none());
}

#[test]
fn conflicts_name_both_plugins_and_the_way_out() {
    let told = |new: Wish, active: Wish| new.beside(&active).unwrap_err().to_string();
    assert_eq!(
        told(wish("b", &["fb:*"], &[], None), wish("a", &["x", "fb:*"], &[], None)),
        "plugin a handles fb:* already, so b cannot; set other claims, or an order to stand in front of it, in \
         [plugins.b]"
    );
    assert_eq!(
        told(wish("b", &["*"], &[], Some(3)), wish("a", &["*"], &[], Some(3))),
        "plugins a and b both claim * with order 3; give b another order"
    );
    assert_eq!(
        told(wish("b", &[], &["pk"], None), wish("a", &[], &["pk"], Some(1))),
        "plugin a translates for product pk already, so b cannot; set other codecs in [plugins.b]"
    );
    assert_eq!(
        told(wish("b", &[], &["*"], None), wish("a", &[], &["*"], None)),
        "plugin a translates for all products (*) already, so b cannot; set other codecs in [plugins.b]"
    );
}

#[test]
fn what_does_not_overlap_word_for_word_is_no_conflict() {
    for (new, active) in [
        (wish("b", &["fb:set"], &["pk"], None), wish("a", &["fb:*", "*"], &["*"], None)),
        (wish("b", &["*"], &[], Some(1)), wish("a", &["*"], &[], None)),
        (wish("b", &["*"], &[], Some(1)), wish("a", &["*"], &[], Some(2))),
        (wish("b", &["pk/*"], &[], Some(1)), wish("a", &["*"], &[], Some(1))),
    ] {
        assert_eq!((new.beside(&active), active.beside(&new)), (Ok(()), Ok(())));
    }
}

/// How special a claim is, the smaller the more.
fn rank(claim: &Claim) -> u8 {
    let scope = match &claim.scope {
        Scope::Service(_) => 0,
        Scope::Module(_) => 2,
        Scope::All => 4,
    };
    scope + u8::from(claim.product.is_none())
}

/// The slow way: every claim of every plugin is looked at.
fn slowly(members: &[Member], call: &Call) -> Vec<String> {
    let fits = |member: &&Member| member.claims.iter().any(|claim| claim.fits(call));
    let mut fronts: Vec<_> = members.iter().filter(|member| member.order.is_some()).filter(fits).collect();
    fronts.sort_by_key(|member| (member.order, member.name.clone()));
    let handlers = members.iter().filter(|member| member.order.is_none());
    let claims = handlers.flat_map(|member| member.claims.iter().map(move |claim| (rank(claim), claim, member)));
    let best = claims.filter(|(_, claim, _)| claim.fits(call)).min_by_key(|(rank, ..)| *rank);
    fronts.into_iter().chain(best.map(|(.., member)| member)).map(|member| member.name.clone()).collect()
}

proptest! {
    #[test]
    fn finding_agrees_with_looking_at_every_claim(
        plugins in prop::collection::vec(
            (prop::collection::vec("([pq]/)?(\\*|:\\*|[st]|[fg]:(\\*|[st]))", 1..4), prop::option::of(-2..2_i32)),
            0..8,
        ),
        product in "[pqr]",
        service in "([fgh]:)?[stu]",
    ) {
        let (mut table, mut wishes) = (Table::default(), Vec::<Wish>::new());
        for (index, (claims, order)) in plugins.iter().enumerate() {
            let (name, claims) = (format!("plugin-{index}"), claims.iter().map(String::as_str).collect::<Vec<_>>());
            let wish = wish(&name, &claims, &[], *order);
            if wishes.iter().all(|other| wish.beside(other).is_ok()) {
                wishes.push(wish);
                table.add(&name, &claims, *order);
            }
        }
        let call = call(&product, &service);
        prop_assert_eq!(table.passed_by(&call), slowly(&table.members, &call));
    }
}
