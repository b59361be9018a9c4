//! Facts about finding services, and what is said when there is none.

use expect_test::{Expect, expect};

use super::ThingModel;

const MAIN: &str = include_str!("../../fixtures/sample_tsl.json");
const MODULE: &str = include_str!("../../fixtures/sample_tsl_testFb.json");

/// The sample model.
pub(crate) fn sample() -> ThingModel {
    ThingModel::parse(MAIN, &[MODULE]).unwrap()
}

fn unknown(model: &ThingModel, ids: &[&str], expected: Expect) {
    let unknown = |id: &&str| format!("{id}\n  {}", model.service(&id.parse().unwrap()).unwrap_err());
    expected.assert_eq(&ids.iter().map(unknown).collect::<Vec<_>>().join("\n"));
}

#[test]
fn files_are_kept_as_they_were() {
    let model = sample();
    let module = "testFb".try_into().unwrap();
    assert_eq!(model.main_text(), MAIN);
    assert_eq!(model.module_texts().collect::<Vec<_>>(), [(&module, MODULE)]);
    assert_eq!(model.module_json(None), Some(MAIN));
    assert_eq!(model.module_json(Some(&module)), Some(MODULE));
    assert_eq!(model.module_json(Some(&"other".try_into().unwrap())), None);
    assert_eq!(model.version(), Some("1.5"));
}

#[test]
fn services_are_those_that_can_be_called() {
    let ids: Vec<String> = sample().services().map(|(id, _)| id.to_string()).collect();
    assert_eq!(ids, ["Measure", "SetScene", "testFb:resetLater", "testFb:testService"]);
}

#[test]
fn module_that_the_main_file_does_not_name_counts() {
    let model = ThingModel::parse(r#"{"services":[]}"#, &[MODULE]).unwrap();
    assert!(model.service(&"testFb:testService".parse().unwrap()).is_ok());
}

#[test]
fn unknown_service_says_what_there_is() {
    let ids = ["Mesure", "measure", "Reboot", "testService", "testFb:Measure", "testFb:restLater"];
    unknown(
        &sample(),
        &ids,
        expect![[r#"
        Mesure
          the default module has no service Mesure; did you mean Measure? The thing model has Measure, SetScene, testFb:resetLater, testFb:testService
        measure
          the default module has no service measure; did you mean Measure? The thing model has Measure, SetScene, testFb:resetLater, testFb:testService
        Reboot
          the default module has no service Reboot; the thing model has Measure, SetScene, testFb:resetLater, testFb:testService
        testService
          the default module has no service testService; did you mean testFb:testService? The thing model has testFb:testService, Measure, SetScene, testFb:resetLater
        testFb:Measure
          module testFb has no service Measure; did you mean Measure? The thing model has Measure, SetScene, testFb:resetLater, testFb:testService
        testFb:restLater
          module testFb has no service restLater; did you mean testFb:resetLater? The thing model has testFb:resetLater, Measure, SetScene, testFb:testService"#]],
    );
    unknown(
        &ThingModel::parse(r#"{"services":[]}"#, &[]).unwrap(),
        &["Measure"],
        expect![[r#"
        Measure
          the default module has no service Measure; the thing model has no services"#]],
    );
}

#[test]
fn unknown_module_says_what_there_is() {
    unknown(
        &sample(),
        &["tstFb:testService", "lamp:on"],
        expect![[r#"
        tstFb:testService
          the thing model has no module tstFb; did you mean testFb? Its modules are testFb
        lamp:on
          the thing model has no module lamp; its modules are testFb"#]],
    );
    unknown(
        &ThingModel::parse(r#"{"services":[]}"#, &[]).unwrap(),
        &["testFb:testService"],
        expect![[r#"
        testFb:testService
          the thing model has no module testFb; it has none but the default module, which needs no prefix"#]],
    );
}

#[test]
fn module_without_its_file_is_not_there() {
    unknown(
        &ThingModel::parse(MAIN, &[]).unwrap(),
        &["testFb:testService"],
        expect![[r#"
        testFb:testService
          module testFb is named in the thing model, but its own file is not there; import the default module's file and the module's together"#]],
    );
}

#[test]
fn built_in_services_are_not_called() {
    unknown(
        &sample(),
        &["set", "get", "testFb:get"],
        expect![[r#"
        set
          set is built in and not called by InvokeThingService; set properties with SetDeviceProperty
        get
          get is built in and not called by InvokeThingService; devices report properties by themselves
        testFb:get
          testFb:get is built in and not called by InvokeThingService; devices report properties by themselves"#]],
    );
}

#[test]
fn list_of_services_is_bounded() {
    let services: Vec<String> = (0..50).map(|i| format!(r#"{{"identifier":"s{i:02}","callType":"sync"}}"#)).collect();
    let model = ThingModel::parse(&format!(r#"{{"services":[{}]}}"#, services.join(",")), &[]).unwrap();
    unknown(
        &model,
        &["Reboot"],
        expect![[r#"
        Reboot
          the default module has no service Reboot; the thing model has s00, s01, s02, s03, s04, s05, s06, s07, s08, s09, s10, s11, s12, s13, s14, s15, s16, s17, s18, s19 and 30 more"#]],
    );
}
