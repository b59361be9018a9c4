//! Facts about reading a model's files: what is taken, and every problem's words.

use expect_test::{Expect, expect};

use crate::{DataType, ThingModel, limits};

mod cases;

const FLAT: &str = include_str!("../../fixtures/sample_tsl_flat_for_devices.json");

fn problems(main: &str, modules: &[&str], expected: Expect) {
    expected.assert_eq(&ThingModel::parse(main, modules).unwrap_err().to_string());
}

/// The problems of each data type, where it is that of a service's only input.
fn of_types(data_types: &[&str], expected: Expect) {
    let problems = |data_type: &&str| {
        let problems = ThingModel::parse(&with_type(data_type), &[]).unwrap_err().to_string();
        problems.replace("$.services[0].inputData[0].dataType", "..")
    };
    expected.assert_eq(&data_types.iter().map(problems).collect::<Vec<_>>().join("\n"));
}

fn with_type(data_type: &str) -> String {
    format!(
        r#"{{"services":[{{"identifier":"S","callType":"sync","inputData":[{{"identifier":"x","dataType":{data_type}}}]}}]}}"#
    )
}

/// The type that is read from this text.
fn read(data_type: &str) -> DataType {
    let model = ThingModel::parse(&with_type(data_type), &[]).unwrap();
    let (_, service) = model.services().next().unwrap();
    service.inputs()[0].data_type().clone()
}

#[test]
fn bounds_may_be_texts_numbers_empty_or_absent() {
    for specs in [r#"{"min":"0","max":"7"}"#, r#"{"min":0,"max":7}"#, r#"{"min":" 0 ","max":7,"step":"1","unit":null}"#]
    {
        assert_eq!(read(&format!(r#"{{"type":"int","specs":{specs}}}"#)), DataType::Int { min: 0, max: 7 });
    }
    for data_type in [r#"{"type":"int"}"#, r#"{"type":"int","specs":{"min":"","max":null}}"#] {
        assert_eq!(read(data_type), DataType::Int { min: i32::MIN, max: i32::MAX });
    }
    // The largest float as Java prints it.
    read(r#"{"type":"float","specs":{"min":"-3.4028235E38","max":"3.4028235E38"}}"#);
}

#[test]
fn types_are_read() {
    let shown = [
        r#"{"type":"float","specs":{"min":"-40","max":"120"}}"#,
        r#"{"type":"double"}"#,
        r#"{"type":"text","specs":{"length":"64"}}"#,
        r#"{"type":"text"}"#,
        r#"{"type":"date","specs":{}}"#,
        r#"{"type":"bool","specs":{"0":"off","1":"on"}}"#,
        r#"{"type":"enum","specs":{"0":"day","7":"night"}}"#,
        r#"{"type":"array","specs":{"size":"128","item":{"type":"float"}}}"#,
        r#"{"type":"array","specs":{"size":4,"item":{"type":"struct","specs":[{"identifier":"a","dataType":{"type":"int"}}]}}}"#,
        r#"{"type":"array"}"#,
        r#"{"type":"struct"}"#,
    ]
    .map(|data_type| read(data_type).to_string());
    expect![[r#"
        a float from -40.0 to 120.0
        a double
        a text of at most 64 bytes
        a text of at most 10240 bytes
        a date, which is a text of milliseconds since 1970 in UTC
        a bool, which is 0 (off) or 1 (on)
        an enum, which is one of 0 (day), 7 (night)
        an array of at most 128 items, each a float
        an array of at most 4 items, each a struct of a
        an array of at most 512 items, each of any kind
        a struct, which is an object"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn every_problem_is_told() {
    let main = r#"{
      "properties": [{"identifier": "time", "dataType": {"type": "int"}}, {"identifier": "p", "accessMode": "x"}],
      "events": [{"identifier": "e", "outputData": [{"identifier": "a b", "dataType": {"type": "long"}}]}],
      "services": [
        {"identifier": "set", "callType": "sync", "method": "thing.service.set"},
        {"identifier": "S", "callType": "later"},
        {"identifier": "S", "callType": "sync", "inputData": [{"identifier": "x"}, 5,
          {"identifier": "y", "dataType": {"type": "int"}, "required": 1}]},
        {"callType": "sync", "outputData": {}},
        "S"
      ],
      "functionBlocks": [{"functionBlockId": "a"}, {"functionBlockId": "a"}, {"functionBlockId": "a-b"}, {}]
    }"#;
    problems(
        main,
        &[],
        expect![[r#"
            $.functionBlocks[1].functionBlockId: names module a again; name each module once
            $.functionBlocks[2].functionBlockId: is "a-b"; a module id is 1 to 30 of A-Z a-z 0-9 _
            $.functionBlocks[3]: has no functionBlockId; write the id of a module
            $.properties[0].identifier: is time, which is reserved; use another than set, get, post, property, event, time, value
            $.properties[1].accessMode: is "x"; write "r" or "rw"
            $.properties[1]: has no dataType; write the property's data type
            $.events[0].outputData[0].identifier: is "a b"; an identifier is 1 to 50 of A-Z a-z 0-9 _
            $.events[0].outputData[0].dataType.type: is "long"; data types are int, float, double, text, date, bool, enum, array, struct
            $.services[0].identifier: is set, which is reserved; use another than set, get, post, property, event, time, value
            $.services[1].callType: is "later"; write "sync" or "async"
            $.services[2].identifier: is S again; use each identifier once
            $.services[2].inputData[0]: has no dataType; write a data type, such as {"type": "int"}
            $.services[2].inputData[1]: is the number 5; write an object with identifier
            $.services[2].inputData[1]: is the number 5; write an object with dataType
            $.services[2].inputData[2].required: is the number 1; write true or false
            $.services[3]: has no identifier; write 1 to 50 of A-Z a-z 0-9 _
            $.services[3].outputData: is an object; write an array: [...]
            $.services[4]: is the text "S"; write an object with identifier"#]],
    );
}

#[test]
fn problems_of_plain_types_say_what_is_right() {
    let types = [
        r#""int""#,
        r#"{"specs":{}}"#,
        r#"{"type":"string"}"#,
        r#"{"type":"flaot"}"#,
        r#"{"type":"int","specs":{"min":"a","max":2147483648}}"#,
        r#"{"type":"int","specs":{"min":"7","max":"0"}}"#,
        r#"{"type":"float","specs":{"min":"NaN","max":"1e39"}}"#,
        r#"{"type":"text","specs":{"length":"10241"}}"#,
        r#"{"type":"text","specs":[]}"#,
        r#"{"type":"bool","specs":{"2":"x"}}"#,
        r#"{"type":"enum","specs":{"a":"x"}}"#,
        r#"{"type":"enum","specs":{"1":"x","+1":"y"}}"#,
    ];
    of_types(
        &types,
        expect![[r#"
        ..: is the text "int"; write an object with type
        ..: has no type; write the name of a data type
        ...type: is "string"; data types are int, float, double, text, date, bool, enum, array, struct
        ...type: is "flaot"; did you mean float? Data types are int, float, double, text, date, bool, enum, array, struct
        ...specs.min: is the text "a"; write a whole number of 32 bits, such as "0"
        ...specs.max: is the number 2147483648; write a whole number of 32 bits, such as "0"
        ...specs: has a min above its max; write min <= max
        ...specs.min: is no number the type can hold; write a decimal number that the type can hold, such as "0.5"
        ...specs.max: is no number the type can hold; write a decimal number that the type can hold, such as "0.5"
        ...specs.length: is 10241; write a whole number from 1 to 10240, such as "10240"
        ...specs: is an array; write an object: {...}
        ...specs: has the key 2; the keys of a bool are 0 and 1
        ...specs: has the key "a"; keys are whole numbers of 32 bits, such as "0"
        ...specs: has the key 1 twice; write each key once"#]],
    );
}

#[test]
fn problems_of_nested_types_say_what_is_right() {
    let types = [
        r#"{"type":"array","specs":{"size":"513"}}"#,
        r#"{"type":"array","specs":{"item":{"type":"date"}}}"#,
        r#"{"type":"struct","specs":[]}"#,
        r#"{"type":"struct","specs":{"a":1}}"#,
    ];
    of_types(
        &types,
        expect![[r#"
            ...specs.size: is 513; write a whole number from 1 to 512, such as "512"
            ...specs.item: has the type date; items are int, float, double, text, struct
            ...specs: has 0 members; a struct has 1 to 50
            ...specs: is an object; write an array: [...]
            ...specs: has 0 members; a struct has 1 to 50"#]],
    );
}

#[test]
fn problems_of_files_say_which_file() {
    problems(
        "",
        &[],
        expect!["line 1, column 1: the file is empty; write a thing model's file, which is one JSON object"],
    );
    problems(
        "{\n  'services': []}",
        &[],
        expect![[
            r#"line 2, column 3: the file is not JSON: it has single quotes; write double quotes: {"name": "text"}"#
        ]],
    );
    problems("[]", &[], expect!["$: is an array; a thing model's file is one JSON object"]);
    problems(
        r#"{"services":[{"identifier":"a","identifier":"b"}]}"#,
        &[],
        expect![[r#"$.services[0]: has the key "identifier" twice; write each key once"#]],
    );
    problems(
        "{}",
        &["{}", r#"{"functionBlockId":"a b"}"#, "{"],
        expect![[r#"
            $: is no thing model: it has none of properties, events, services, functionBlocks; give a thing model (TSL) as the console exports it
            module file 1: $: is no thing model: it has none of properties, events, services, functionBlocks; give a thing model (TSL) as the console exports it
            module file 2: $.functionBlockId: is "a b"; a module id is 1 to 30 of A-Z a-z 0-9 _
            module file 3: line 1, column 2: the file is not JSON: it ends too early; write a key in double quotes there"#]],
    );
    let module = r#"{"functionBlockId":"fb","services":[{"identifier":"S"}]}"#;
    problems(
        "{}",
        &[module, module],
        expect![[r#"
            $: is no thing model: it has none of properties, events, services, functionBlocks; give a thing model (TSL) as the console exports it
            module fb: $.functionBlockId: is that of an earlier file; give one file for each module"#]],
    );
    problems(
        module,
        &[],
        expect!["$.functionBlockId: makes this the file of a custom module; give the default module's file first"],
    );
}

#[test]
fn flattened_file_for_devices_is_refused_with_the_way_out() {
    problems(
        FLAT,
        &[],
        expect![[r#"
        $.services[4].identifier: is "testFb:testService"; write the part after the colon, in the file of the module that stands before it
        $.services[5].identifier: is "testFb:resetLater"; write the part after the colon, in the file of the module that stands before it"#]],
    );
}

#[test]
fn limits_of_a_module_hold() {
    let services = |count: usize| {
        let services: Vec<String> =
            (0..count).map(|i| format!(r#"{{"identifier":"s{i}","callType":"sync"}}"#)).collect();
        format!(r#"{{"services":[{}]}}"#, services.join(","))
    };
    assert!(ThingModel::parse(&services(limits::FEATURES_MAX), &[]).is_ok());
    problems(
        &services(limits::FEATURES_MAX + 1),
        &[],
        expect!["$: has 301 properties, events and services; a module may have 300; move some to another module"],
    );

    let modules: Vec<String> = (0..=limits::MODULES_MAX).map(|i| format!(r#"{{"functionBlockId":"m{i}"}}"#)).collect();
    let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
    assert!(ThingModel::parse(r#"{"services":[]}"#, &modules[1..]).is_ok());
    problems(r#"{"services":[]}"#, &modules, expect!["$: comes with 201 modules; a model may have 200"]);

    problems(
        &" ".repeat(limits::MODEL_FILE_BYTES_MAX + 1),
        &[],
        expect!["$: has 2097153 bytes; a file may have 2097152"],
    );
}

/// This many struct members or inputs.
fn members(count: usize) -> String {
    let member = |i| format!(r#"{{"identifier":"x{i}","dataType":{{"type":"int"}}}}"#);
    (0..count).map(member).collect::<Vec<_>>().join(",")
}

#[test]
fn limits_of_a_service_hold() {
    let inputs =
        |count| format!(r#"{{"services":[{{"identifier":"S","callType":"sync","inputData":[{}]}}]}}"#, members(count));
    assert!(ThingModel::parse(&inputs(limits::INPUTS_MAX), &[]).is_ok());
    problems(
        &inputs(limits::INPUTS_MAX + 1),
        &[],
        expect!["$.services[0].inputData: has 101 elements; there may be 100"],
    );
}

#[test]
fn limits_of_types_hold() {
    let structure = |count| format!(r#"{{"type":"struct","specs":[{}]}}"#, members(count));
    let keys = |count| {
        let keys: Vec<String> = (0..count).map(|i| format!(r#""{i}":"""#)).collect();
        format!(r#"{{"type":"enum","specs":{{{}}}}}"#, keys.join(","))
    };
    let nested = |levels: usize| {
        let open = r#"{"type":"struct","specs":[{"identifier":"a","dataType":"#;
        format!("{}{{\"type\":\"int\"}}{}", open.repeat(levels), "}]}".repeat(levels))
    };
    read(&structure(limits::STRUCT_MEMBERS_MAX));
    read(&keys(limits::ENUM_KEYS_MAX));
    read(&nested(limits::DATA_TYPE_DEPTH_MAX));
    let over = [
        structure(limits::STRUCT_MEMBERS_MAX + 1),
        keys(limits::ENUM_KEYS_MAX + 1),
        nested(limits::DATA_TYPE_DEPTH_MAX + 1),
    ];
    of_types(
        &over.each_ref().map(String::as_str),
        expect![[r#"
        ...specs: has 51 members; a struct has 1 to 50
        ...specs: has 101 keys; write 1 to 100, such as {"0": "off", "1": "on"}
        ...specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType.specs[0].dataType: nests too deep; data types nest at most 16 deep"#]],
    );
}

#[test]
fn problems_are_counted_beyond_a_hundred() {
    let services = vec!["{}"; 150].join(",");
    let problems = ThingModel::parse(&format!(r#"{{"services":[{services}]}}"#), &[]).unwrap_err();
    assert_eq!((problems.iter().count(), problems.more()), (100, 50));
}
