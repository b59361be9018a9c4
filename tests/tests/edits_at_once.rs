//! Changes of one thing model that many make at once: each is there at the end, at one instance and over two.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thingcall_tests::{HttpCall, Postgres, Sdk, Site, eventually};

use crate::registry::Application;

/// All at once, to these instances in turn.
fn at_once(sites: &[&Site], asked: &[(&str, Value)]) {
    let signing: Vec<_> = asked.iter().map(|(action, params)| sites[0].begin(Sdk::SignOnly, action, params)).collect();
    let paths: Vec<_> = signing.into_iter().map(|waiting| waiting.answer().text().to_owned()).collect();
    let to = |at: usize| sites[at % sites.len()].program.addresses.api;
    let sent: Vec<_> = paths.iter().enumerate().map(|(at, path)| HttpCall::send(to(at), "POST", path)).collect();
    for call in sent {
        let body = call.answer().body;
        assert!(body.contains(r#""Success":true"#), "{body}");
    }
}

/// Of 32 properties 2 were there, and of 8 modules 2.
fn every_change_is_there(sites: &[&Site], word: &str) {
    let app = Application { site: sites[0], sdk: Sdk::Tea };
    let product = app.product(&format!("{word}_edited"));
    let property = |number: usize| {
        let feature = json!({ "properties": [{ "identifier": format!("cc{number}"), "name": "c", "rwFlag": "READ_WRITE",
            "dataType": "INT", "dataSpecs": { "min": "0", "max": "9", "step": "1" } }] });
        ("CreateThingModel", json!({ "ProductKey": product, "ThingModelJson": feature.to_string() }))
    };
    let module = |number: usize| {
        let id = format!("fbm{number}");
        let tsl = json!({ "profile": { "version": "1.5", "productKey": product }, "functionBlockId": id, "functionBlockName": id,
            "properties": [], "services": [], "events": [] });
        let params =
            json!({ "ProductKey": product, "FunctionBlockId": id, "FunctionBlockName": id, "TslStr": tsl.to_string() });
        ("ImportThingModelTsl", params)
    };
    let asked: Vec<_> = (0..32).map(property).chain((0..8).map(module)).collect();
    at_once(sites, &asked);
    // What another instance changed is known here a moment later.
    let read = |more: Value| {
        let mut params = json!({ "ProductKey": product });
        params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let text = app.ask("QueryThingModel", &params).at("Data.ThingModelJson").as_str()?.to_owned();
        serde_json::from_str::<Value>(&text).ok()
    };
    eventually("each change is there", || {
        let main = read(json!({}))?;
        let properties: BTreeSet<_> =
            main["properties"].as_array()?.iter().map(|it| it["identifier"].to_string()).collect();
        let is_there = |number: &usize| read(json!({ "FunctionBlockId": format!("fbm{number}") })).is_some();
        (properties.len() == 32 && (0..8).filter(is_there).count() == 8).then_some(())
    });
}

#[test]
fn changes_of_a_model_made_at_once_are_all_there() {
    every_change_is_there(&[crate::sites::embedded()], "one");
}

#[test]
fn changes_of_a_model_made_at_once_over_two_instances_are_all_there() {
    let first = Site::sharing(&Postgres::shared().database(), &[]);
    let second = first.another(&[]);
    for site in [&first, &second] {
        site.is_ready();
    }
    every_change_is_there(&[&first, &second], "two");
}
