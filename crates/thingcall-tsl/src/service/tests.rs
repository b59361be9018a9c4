//! Facts about the arguments and replies of the sample model's services.

use expect_test::{Expect, expect};

use super::check_object;
use crate::model::sample;
use crate::{ArgsCheck, ThingModel};

fn refuses(model: &ThingModel, service: &str, args: &[&str], expected: Expect) {
    let service = model.service(&service.parse().unwrap()).unwrap();
    let refused = |args: &&str| {
        let violation = service.check_args(args, ArgsCheck::Strict).unwrap_err();
        format!("{args}\n  {}: {violation}", violation.kind.as_str())
    };
    expected.assert_eq(&args.iter().map(refused).collect::<Vec<_>>().join("\n"));
}

#[test]
fn arguments_that_fit_are_taken() {
    let model = sample();
    for (service, args) in [
        ("Measure", r#"{"channel":7,"since":"1700000000000","window":{"from":0,"to":86400}}"#),
        ("Measure", " {\n\"window\" : {\"to\":1, \"from\":0},\"since\":\"0\",\"\\u0063hannel\":0 }\r\n"),
        ("SetScene", r#"{"scene":2,"fade":60.0,"label":"Wohnzimmer"}"#),
        ("testFb:testService", r#"{"param1":1000}"#),
        ("testFb:resetLater", r#"{"delay":0.5}"#),
    ] {
        let service = model.service(&service.parse().unwrap()).unwrap();
        assert_eq!(service.check_args(args, ArgsCheck::Strict), Ok(None), "{args}");
    }
}

#[test]
fn faults_of_the_text_come_first() {
    let deep = format!("{{\"window\":{}", "[".repeat(40));
    let args = [
        "",
        "[]",
        "\"{}\"",
        "12",
        "null",
        "channel=1",
        "{'channel':1}",
        r#"{"channel":99}}"#,
        r#"{"channel":"wrong","#,
        r#"{"window":{"from":1,"from":2}}"#,
        &deep,
        r#"{"since":"\ud800"}"#,
    ];
    refuses(
        &sample(),
        "Measure",
        &args,
        expect![[r#"

          syntax: Args is empty; write {} for nothing
        []
          syntax: Args is an array; write an object such as {"name": 1}, or {} for nothing
        "{}"
          syntax: Args is the text "{}"; write an object such as {"name": 1}, or {} for nothing
        12
          syntax: Args is the number 12; write an object such as {"name": 1}, or {} for nothing
        null
          syntax: Args is null; write an object such as {"name": 1}, or {} for nothing
        channel=1
          syntax: Args is not JSON at line 1, column 1: "channel=1" cannot stand there; write a value there
        {'channel':1}
          syntax: Args is not JSON at line 1, column 2: it has single quotes; write double quotes: {"channel":1}
        {"channel":99}}
          syntax: Args goes on after its end at line 1, column 15: "}"; write one value and nothing after it
        {"channel":"wrong",
          syntax: Args is not JSON at line 1, column 20: it ends too early; write a key in double quotes there
        {"window":{"from":1,"from":2}}
          syntax: Args.window has the key "from" twice; write each key once
        {"window":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
          syntax: Args nests deeper than 32 levels at line 1, column 42; write at most 32 levels
        {"since":"\ud800"}
          syntax: Args.since is not JSON at line 1, column 11: the escape is half a character; write both halves, such as \ud83d\ude00"#]],
    );
}

#[test]
fn faults_against_the_model_say_what_is_right() {
    let args = [
        "{}",
        r#"{"channel":9}"#,
        r#"{"chanel":1}"#,
        r#"{"param":1}"#,
        r#"{"channel":1,"since":"0","window":{"from":0}}"#,
    ];
    refuses(
        &sample(),
        "Measure",
        &args,
        expect![[r#"
        {}
          missing: Args.channel is missing; give it as an int from 0 to 7, or mark it "required": false in the thing model
        {"channel":9}
          range: Args.channel is 9, out of range; the model wants an int from 0 to 7
        {"chanel":1}
          unknown: Args.chanel is not in the thing model; did you mean channel? It has channel, since, window
        {"param":1}
          unknown: Args.param is not in the thing model, which has channel, since, window
        {"channel":1,"since":"0","window":{"from":0}}
          missing: Args.window.to is missing; give it as an int from 0 to 86400, or mark it "required": false in the thing model"#]],
    );
    let label = format!(r#"{{"label":"{}"}}"#, "é".repeat(33));
    refuses(
        &sample(),
        "SetScene",
        &[r#"{"scene":3}"#, r#"{"scene":1,"fade":10}"#, &label],
        expect![[r#"
        {"scene":3}
          range: Args.scene is 3; the model wants an enum, which is one of 0 (day), 1 (night), 2 (party)
        {"scene":1,"fade":10}
          type: Args.fade is 10, without a decimal point; write 10.0: the model wants a double from 0.0 to 60.0
        {"label":"ééééééééééééééééééééééééééééééééé"}
          length: Args.label has 66 bytes; the model allows at most 64"#]],
    );
}

#[test]
fn service_without_parameters_takes_an_empty_object() {
    let main = r#"{"services":[{"identifier":"Ping","callType":"sync"}]}"#;
    let model = ThingModel::parse(main, &[]).unwrap();
    let ping = model.service(&"Ping".parse().unwrap()).unwrap();
    assert_eq!(ping.check_args("{}", ArgsCheck::Strict), Ok(None));
    refuses(
        &model,
        "Ping",
        &[r#"{"a":1}"#],
        expect![[r#"
        {"a":1}
          unknown: Args.a is not in the thing model, which has nothing here; write {}"#]],
    );
}

#[test]
fn replies_are_told_from_arguments() {
    let model = sample();
    let service = model.service(&"Measure".parse().unwrap()).unwrap();
    assert_eq!(service.check_reply(r#"{"mean":1,"samples":[1,2.5]}"#), Ok(()));
    let replies = [r#"{"mean":1,"samples":[1,"2"]}"#, "{}", "[]", r#"{"mean":1.0,"samples":[],"extra":0}"#];
    let refused = replies.map(|data| service.check_reply(data).unwrap_err().to_string());
    expect![[r#"
        data.samples[1] is the text "2"; write 2.0, without quotes: the model wants a float
        data.mean is missing; give it as a double from -1000.0 to 1000.0
        data is an array; write an object such as {"name": 1}, or {} for nothing
        data.extra is not in the thing model, which has mean, samples"#]]
    .assert_eq(&refused.join("\n"));
}

#[test]
fn verification_free_arguments_are_one_object_within_limits() {
    for args in ["{}", r#"{"anything":[1,null,{"goes":true}]}"#] {
        assert_eq!(check_object("Args", args, ArgsCheck::Strict), Ok(None));
    }
    for args in ["", "[]", "{'a':1}", r#"{"a":1,"a":2}"#, "{} {}", &format!("{}1", "{\"a\":".repeat(33))] {
        assert!(check_object("Args", args, ArgsCheck::Strict).is_err(), "{args}");
    }
    let deepest = format!("{}{{}}{}", "{\"a\":".repeat(31), "}".repeat(31));
    assert_eq!(check_object("Args", &deepest, ArgsCheck::Strict), Ok(None));
}

#[test]
fn samples_of_the_sample_model_read_well() {
    let model = sample();
    let all: Vec<String> = model
        .services()
        .map(|(id, service)| format!("{id} {} -> {}", service.sample_args(), service.sample_output(7)))
        .collect();
    expect![[r#"
        Measure {"channel":1,"since":"1700000000000","window":{"from":1,"to":1}} -> {"mean":-220.341,"samples":[-966.423,801.521,165.861]}
        SetScene {"scene":0,"fade":1.0,"label":"text"} -> {"applied":0}
        testFb:resetLater {"delay":1.0} -> {}
        testFb:testService {"param1":1} -> {"param1":387}"#]].assert_eq(&all.join("\n"));
}

/// The inputs that Java's maps and others write in another way, and what the device gets.
fn mended(model: &str, service: &str, args: &str) -> Option<String> {
    let model = ThingModel::parse(model, &[]).unwrap();
    model.service(&service.parse().unwrap()).unwrap().check_args(args, ArgsCheck::Weak).unwrap()
}

const CASES: &str = include_str!("../../../../tests/fixtures/cases/model.json");

#[test]
fn inputs_may_be_left_out_unless_the_product_is_strict() {
    let model = ThingModel::parse(CASES, &[]).unwrap();
    let warn = model.service(&"Warn".parse().unwrap()).unwrap();
    assert_eq!(warn.check_args(r#"{"max":1}"#, ArgsCheck::Weak), Ok(None));
    assert_eq!(warn.check_args("{}", ArgsCheck::Weak), Ok(None));
    assert!(
        warn.check_args(r#"{"max":1}"#, ArgsCheck::Strict).unwrap_err().to_string().contains("Args.min is missing")
    );
    for args in [r#"{"mx":1}"#, r#"{"max":"1"}"#, r#"{"max":101}"#, r#"{"max":1.5}"#] {
        assert!(warn.check_args(args, ArgsCheck::Weak).is_err(), "{args}");
    }
}

#[test]
fn single_quotes_and_bare_keys_are_mended() {
    let args = include_str!("../../../../tests/fixtures/cases/09a_single_quotes.args");
    let (service, args) = args.trim_end().split_once('\n').unwrap();
    assert_eq!(mended(CASES, service, args).as_deref(), Some(r#"{"min":10,"max":50}"#));
    assert_eq!(
        mended(CASES, "Warn", "{min:10, $max:50}".replace('$', "").as_str()).as_deref(),
        Some(r#"{"min":10,"max":50}"#)
    );
    let text = r#"{"services":[{"identifier":"S","callType":"sync","inputData":[
        {"identifier":"t","dataType":{"type":"text"}},{"identifier":"f","dataType":{"type":"double"}}]}]}"#;
    assert_eq!(
        mended(text, "S", r#"{'t':'it\'s "so"\n', f:10.50}"#).as_deref(),
        Some(r#"{"t":"it's \"so\"\u000a","f":10.50}"#)
    );
    let model = ThingModel::parse(CASES, &[]).unwrap();
    let warn = model.service(&"Warn".parse().unwrap()).unwrap();
    for args in ["{'min':1,'min':2}", "{'min':1,}", "{'min':1", "{'min:1}", "{1:1}", "{min:one}", "'min'"] {
        assert!(warn.check_args(args, ArgsCheck::Weak).is_err(), "{args}");
    }
    assert!(warn.check_args("{'min':1}", ArgsCheck::Strict).is_err());
    assert_eq!(
        check_object("Args", "{'a':[1.50,{b:null}]}", ArgsCheck::Weak),
        Ok(Some(r#"{"a":[1.50,{"b":null}]}"#.to_owned()))
    );
}

#[test]
fn whole_numbers_with_a_point_are_whole_for_whole_inputs() {
    let args = include_str!("../../../../tests/fixtures/cases/22_gson_doubles.args");
    let (service, args) = args.trim_end().split_once('\n').unwrap();
    assert_eq!(mended(CASES, service, args).as_deref(), Some(r#"{"min":10,"max":50}"#));
    let model = r#"{"services":[{"identifier":"S","callType":"sync","inputData":[
        {"identifier":"i","dataType":{"type":"int"}},
        {"identifier":"b","dataType":{"type":"bool"}},
        {"identifier":"e","dataType":{"type":"enum","specs":{"2":"two"}}},
        {"identifier":"f","dataType":{"type":"float"}},
        {"identifier":"a","dataType":{"type":"array","specs":{"size":"3","item":{"type":"struct","specs":[
            {"identifier":"n","dataType":{"type":"int"}}]}}}}]}]}"#;
    assert_eq!(
        mended(model, "S", r#"{"i":1.0E7,"b":-0.0,"e":2.0,"f":10.0,"a":[{"n":-3.0}]}"#).as_deref(),
        Some(r#"{"i":10000000,"b":0,"e":2,"f":10.0,"a":[{"n":-3}]}"#)
    );
    assert_eq!(mended(model, "S", r#"{"i":1,"f":10.0}"#), None, "what is right is left alone");
}
