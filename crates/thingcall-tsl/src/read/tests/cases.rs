//! Files that people have and that are no thing model, or are one of another year.

use expect_test::{Expect, expect};

use crate::{ArgsCheck, CallType, ThingModel};

macro_rules! case {
    ($name:literal) => {
        include_str!(concat!("../../../../../tests/fixtures/cases/", $name))
    };
}

fn refused(files: &[&str], expected: Expect) {
    let told = |file: &&str| ThingModel::parse(file, &[]).unwrap_err().to_string();
    expected.assert_eq(&files.iter().map(told).collect::<Vec<_>>().join("\n"));
}

/// The one service of a model, and what is warned of.
fn taken(file: &str, expected: Expect) -> ThingModel {
    let (model, warnings) = ThingModel::parse_and_warn(file, &[]).unwrap();
    expected.assert_eq(&warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    model
}

#[test]
fn an_answer_with_the_model_in_it_is_refused_and_the_place_named() {
    refused(
        &[
            case!("01a_answer_wrapper.json"),
            case!("01b_GetThingModelTsl_answer.json"),
            case!("01c_dsltemplate_reply.json"),
            r#"{"Data":{"List":[{"Tsl":{"services":[]}}]}}"#,
            r#"{"Data":{"ThingModelJson":"{\"services\":[{\"inputParams\":[]}]}"}}"#,
        ],
        expect![[r#"
            $: is no thing model: it is an answer that holds one in data.model; save what is in data.model as a file, for example with: jq -r .data.model
            $: is no thing model: it is an answer that holds one as a text in Data.TslStr; save what is in Data.TslStr as a file, for example with: jq -r .Data.TslStr
            $: is no thing model: it is an answer that holds one in data; save what is in data as a file, for example with: jq -r .data
            $: is no thing model: it is an answer that holds one in Data.List[0].Tsl; save what is in Data.List[0].Tsl as a file, for example with: jq -r .Data.List[0].Tsl
            $: is no thing model: it is an answer that holds one as a text in Data.ThingModelJson; that is ThingModelJson; export the TSL instead"#]],
    );
}

#[test]
fn a_file_without_any_part_of_a_model_is_refused() {
    refused(
        &[
            case!("02_empty_object.json"),
            r#"{"name":"app","version":"1.0.0","dependencies":{"mqtt":"^4"}}"#,
            r#"{"services":null}"#,
        ],
        expect![[r#"
            $: is no thing model: it has none of properties, events, services, functionBlocks; give a thing model (TSL) as the console exports it
            $: is no thing model: it has none of properties, events, services, functionBlocks; give a thing model (TSL) as the console exports it
            $: is no thing model: it has none of properties, events, services, functionBlocks; give a thing model (TSL) as the console exports it"#]],
    );
}

#[test]
fn the_other_notation_is_called_by_its_name() {
    refused(
        &[
            case!("03_inputParams.json"),
            case!("04_ThingModelJson.json"),
            case!("04b_after_following_the_message.json"),
            r#"{"properties":[{"identifier":"p","dataType":"INT","dataSpecs":{"dataType":"INT"}}]}"#,
        ],
        expect![[r#"
            $.services[0].inputParams: this is ThingModelJson; export the TSL instead
            $.services[0].inputParams: this is ThingModelJson; export the TSL instead
            $.services[0].inputParams: this is ThingModelJson; export the TSL instead
            $.properties[0].dataSpecs: this is ThingModelJson; export the TSL instead"#]],
    );
}

#[test]
fn what_was_stored_once_is_read_again() {
    for file in [case!("02_empty_object.json"), case!("04b_after_following_the_message.json")] {
        assert!(ThingModel::parse_stored(file, &[]).is_ok());
    }
}

#[test]
fn a_service_without_call_type_is_asynchronous() {
    let model = taken(
        case!("17_no_callType.json"),
        expect![[r#"$.services[0]: has no callType and is taken as async; write "sync" or "async""#]],
    );
    assert_eq!(model.services().next().unwrap().1.call_type(), CallType::Async);
}

#[test]
fn a_simplified_model_is_taken_and_what_it_does_not_say_is_not_checked() {
    let model = taken(
        case!("18_simplified.json"),
        expect![[r#"
        $.services[0].inputData[1].dataType.specs: has no keys, so any whole number is taken; write them, such as {"0": "off", "1": "on"}
        $.services[0].inputData[2].dataType.specs: has no size, so 512 items are taken; write how many items there may be, from "1" to "512""#]],
    );
    let (_, go) = model.services().next().unwrap();
    for args in [r#"{"on":1,"mode":77,"arr":[1,2,3]}"#, r#"{"mode":-5}"#] {
        assert_eq!(go.check_args(args, ArgsCheck::Weak), Ok(None));
    }
    assert!(go.check_args(r#"{"mode":"on"}"#, ArgsCheck::Weak).is_err());
    assert_eq!(go.check_args(&go.sample_args(), ArgsCheck::Strict), Ok(None));
}

#[test]
fn javas_min_value_is_no_lowest_bound() {
    let model = taken(case!("19_double_min_value.json"), expect![[r#""#]]);
    let (_, cal) = model.services().next().unwrap();
    assert_eq!(cal.check_args(r#"{"off":-12.5}"#, ArgsCheck::Strict), Ok(None));

    for (data_type, min) in
        [("double", "4.9E-324"), ("float", "1.4E-45"), ("float", "-1.4E-45"), ("float", "1.17549435E-38")]
    {
        let file = super::with_type(&format!(r#"{{"type":"{data_type}","specs":{{"min":"{min}","max":"100"}}}}"#));
        let (_, service) =
            ThingModel::parse(&file, &[]).unwrap().services().next().map(|(id, s)| (id, s.clone())).unwrap();
        assert_eq!(service.check_args(r#"{"x":-12.5}"#, ArgsCheck::Strict), Ok(None), "{min}");
    }
}

#[test]
fn whole_bounds_with_a_point_are_taken() {
    let service =
        ThingModel::parse(&super::with_type(r#"{"type":"int","specs":{"min":0.0,"max":"100.0"}}"#), &[]).unwrap();
    let (_, service) = service.services().next().unwrap();
    assert!(service.check_args(r#"{"x":101}"#, ArgsCheck::Strict).is_err());
    assert!(service.check_args(r#"{"x":100}"#, ArgsCheck::Strict).is_ok());
}

#[test]
fn unknown_members_are_warned_of_with_their_place() {
    let file = r#"{"sevices":[],"services":[{"identifier":"S","callType":"sync","inputdata":[],"mood":1,"inputData":[
        {"identifier":"x","dataType":{"type":"int","specs":{"mim":"0"}}}]}],"a b":1}"#;
    taken(
        file,
        expect![[r#"
        $.sevices: is not known and not read; did you mean services?
        $["a b"]: is not known and not read; what it says has no effect
        $.services[0].inputdata: is not known and not read; did you mean inputData?
        $.services[0].mood: is not known and not read; what it says has no effect
        $.services[0].inputData[0].dataType.specs.mim: is not known and not read; did you mean min?"#]],
    );
    let sample = include_str!("../../../fixtures/sample_tsl.json");
    taken(sample, expect![[""]]);
}

#[test]
fn commas_and_comments_are_called_by_their_names() {
    refused(
        &[
            "{\"services\":[],}",
            "{\"services\":[\n  {\"identifier\":\"S\"},\n]}",
            "// my model\n{\"services\":[]}",
            "{\"services\":[] /* none */}",
        ],
        expect![[r#"
            line 1, column 16: the file is not JSON: a comma stands before "}" (a trailing comma); take the comma before it out
            line 3, column 1: the file is not JSON: a comma stands before "]}" (a trailing comma); take the comma before it out
            line 1, column 1: the file is not JSON: it has a comment; take it out: JSON has no comments
            line 1, column 16: the file is not JSON: it has a comment; take it out: JSON has no comments"#]],
    );
    assert!(ThingModel::parse("\u{feff}{\"services\":[]}", &[]).is_ok());
}
