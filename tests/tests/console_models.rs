//! Thing models in the console: checked without being saved, held against what is in force, saved, kept, restored.

use serde_json::{Value, json};
use thingcall_tests::{Browser, HttpAnswer, PRODUCT, Site, Visitor};

use crate::sites::embedded;

fn visitor(site: &Site) -> Visitor {
    Visitor::logged_in(site.console(), &site.key.id, &site.key.secret)
}

fn header<'a>(answer: &'a HttpAnswer, name: &str) -> &'a str {
    let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).next().unwrap_or_default()
}

/// A product of its own, by the path of its page.
fn product(visitor: &mut Visitor, name: &str) -> String {
    let made = visitor.form("/products", "/products", &[("name", name), ("format", "1"), ("check", "1")]);
    assert_eq!(made.status, 303, "{made:?}");
    header(&made, "location").to_owned()
}

/// A default module whose service `Set` takes a level up to this.
fn lamp(max: i32) -> String {
    let kind = json!({ "type": "int", "specs": { "min": "0", "max": max.to_string() } });
    let input = json!([{ "identifier": "level", "name": "Level", "dataType": kind }]);
    let set = json!({ "identifier": "Set", "name": "Set", "callType": "sync", "inputData": input, "outputData": [] });
    json!({ "services": [set], "properties": [], "events": [] }).to_string()
}

/// A custom module with one service.
fn fan(name: &str) -> String {
    let blow = json!({ "identifier": "blow", "name": name, "callType": "async", "inputData": [], "outputData": [] });
    json!({ "functionBlockId": "fan", "functionBlockName": name, "services": [blow], "properties": [], "events": [] })
        .to_string()
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let field = page.split_once(&format!("name=\"{name}\" value=\"")).expect("the field").1;
    field.split('"').next().unwrap_or_default().to_owned()
}

/// Has a text checked.
fn checked(visitor: &mut Visitor, path: &str, text: &str) -> HttpAnswer {
    visitor.form(&format!("{path}/model"), &format!("{path}/model/check"), &[("module", ""), ("text", text)])
}

/// Has a text checked, and saves what was checked.
fn saved(visitor: &mut Visitor, path: &str, text: &str) -> HttpAnswer {
    let page = checked(visitor, path, text).body;
    let (base, digest) = (hidden(&page, "base"), hidden(&page, "checked"));
    let fields = [("module", ""), ("text", text), ("base", &base), ("checked", &digest), ("sure", "yes")];
    visitor.form(&format!("{path}/model"), &format!("{path}/model/save"), &fields)
}

/// What the API says is in force.
fn in_force(site: &Site, path: &str) -> Option<String> {
    let key = path.trim_start_matches("/products/");
    let answer = site.ask("GetThingModelTsl", &json!({ "ProductKey": key }));
    answer.succeeded().then(|| answer.body()["Data"]["TslStr"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_wrong_model_is_refused_at_its_place_and_nothing_is_saved() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = product(&mut visitor, "Wrong at first");
    let wrong = "{\n  \"services\": [\n    {\"identifier\": \"Set\", \"callType\": \"sometimes\"}\n  ]\n}";
    let page = checked(&mut visitor, &path, wrong);
    assert_eq!(page.status, 422, "{page:?}");
    for text in
        ["line 3, column 39", "$.services[0].callType", "sometimes", "<mark>3  ", "Nothing was saved. Problems: 1"]
    {
        assert!(page.body.contains(text), "{text} is not in {}", page.body);
    }
    assert!(!page.body.contains("model/save"), "{}", page.body);
    let broken = checked(&mut visitor, &path, "{\n  \"services\": [,]\n}");
    assert!(broken.status == 422 && broken.body.contains("line 2, column 16"), "{broken:?}");
    let fields = [("module", ""), ("text", wrong), ("base", "none"), ("checked", "x"), ("sure", "yes")];
    let forced = visitor.form(&format!("{path}/model"), &format!("{path}/model/save"), &fields);
    assert_eq!(forced.status, 422, "{forced:?}");
    assert_eq!(in_force(site, &path), None);
}

#[test]
fn what_a_model_changes_is_shown_before_it_is_saved_and_whom_it_breaks() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = product(&mut visitor, "Changing");
    let first = saved(&mut visitor, &path, &lamp(100));
    assert_eq!(header(&first, "location"), path, "{first:?}");
    assert_eq!(in_force(site, &path).as_deref(), Some(&*lamp(100)));
    let wider = checked(&mut visitor, &path, &lamp(200));
    assert!(wider.status == 200 && wider.body.contains("It breaks nobody"), "{wider:?}");
    let narrower = checked(&mut visitor, &path, &lamp(50));
    for text in
        ["service Set", "input level", "an int from 0 to 100", "an int from 0 to 50", "calls as before are refused"]
    {
        assert!(narrower.body.contains(text), "{text} is not in {}", narrower.body);
    }
    assert_eq!(in_force(site, &path).as_deref(), Some(&*lamp(100)), "checking saves nothing");
    let same = checked(&mut visitor, &path, &lamp(100));
    assert!(same.body.contains("It changes nothing"), "{same:?}");
}

#[test]
fn only_what_was_checked_and_seen_is_saved() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = product(&mut visitor, "Careful");
    saved(&mut visitor, &path, &lamp(100));
    let page = checked(&mut visitor, &path, &lamp(50)).body;
    let (base, digest) = (hidden(&page, "base"), hidden(&page, "checked"));
    let mut save = |text: &str, sure: &str| {
        let fields = [("module", ""), ("text", text), ("base", &*base), ("checked", &*digest), ("sure", sure)];
        visitor.form(&format!("{path}/model"), &format!("{path}/model/save"), &fields)
    };
    let other = save(&lamp(40), "yes");
    assert!(other.status == 422 && other.body.contains("changed after it was checked"), "{other:?}");
    assert!(other.body.contains("an int from 0 to 40"), "it shows what that one changes: {other:?}");
    let unsure = save(&lamp(50), "");
    assert!(unsure.status == 422 && unsure.body.contains("tick the box"), "{unsure:?}");
    let key = path.trim_start_matches("/products/");
    site.ask("ImportThingModelTsl", &json!({ "ProductKey": key, "TslStr": lamp(99) })).ok();
    let late = save(&lamp(50), "yes");
    assert!(late.status == 422 && late.body.contains("somebody set another model meanwhile"), "{late:?}");
    assert_eq!(in_force(site, &path).as_deref(), Some(&*lamp(99)));
}

#[test]
fn a_file_says_which_module_it_is_and_is_exported_as_it_was_set() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = product(&mut visitor, "Modular");
    let page = checked(&mut visitor, &path, &fan("Fan"));
    assert!(page.body.contains("<code>fan</code>, which is new"), "{page:?}");
    assert_eq!(header(&saved(&mut visitor, &path, &fan("Fan")), "location"), path);
    let shown = visitor.page(&path).body;
    assert!(shown.contains("<code>fan</code> Fan") && shown.contains("<code>blow</code>"), "{shown}");
    let file = visitor.page(&format!("{path}/model/file?module=fan"));
    assert_eq!(file.body, fan("Fan"));
    let key = path.trim_start_matches("/products/");
    assert_eq!(header(&file, "content-disposition"), format!("attachment; filename=\"{key}-fan.json\""));
    assert!(header(&file, "content-type").starts_with("application/json"), "{file:?}");
    let editor = visitor.page(&format!("{path}/model?module=fan")).body;
    assert!(editor.contains("&quot;functionBlockId&quot;: &quot;fan&quot;,\n"), "over lines: {editor}");
    let broken = [("module", "fan"), ("text", "{\"functionBlockId\": \"fan\",}")];
    let broken = visitor.form(&path, &format!("{path}/model/check"), &broken);
    assert!(broken.status == 422 && broken.body.contains("line 1, column"), "{broken:?}");
}

#[test]
fn a_version_is_held_against_what_is_in_force_and_restored() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = product(&mut visitor, "Going back");
    saved(&mut visitor, &path, &lamp(100));
    saved(&mut visitor, &path, &fan("Fan"));
    saved(&mut visitor, &path, &lamp(50));
    let key = path.trim_start_matches("/products/");
    let told = site.ask("ListThingModelVersion", &json!({ "ProductKey": key })).ok();
    let versions: Vec<String> = told.body()["Data"]["ModelVersions"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|version| version["ModelVersion"].as_str().expect("a number").to_owned())
        .collect();
    let list = visitor.page(&format!("{path}/versions")).body;
    assert!(versions.iter().all(|version| list.contains(version)) && list.contains("in force"), "{list}");
    let oldest = format!("{path}/versions/{}", versions.last().expect("the oldest"));
    let page = visitor.page(&oldest).body;
    for text in
        ["module fan", "gone", "an int from 0 to 50", "an int from 0 to 100", "model/file?module=-&amp;version="]
    {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    let base = hidden(&page, "base");
    let unsure = visitor.form(&oldest, &format!("{oldest}/restore"), &[("base", &base)]);
    assert!(unsure.status == 422 && in_force(site, &path).as_deref() == Some(&lamp(50)), "{unsure:?}");
    let stale = visitor.form(&oldest, &format!("{oldest}/restore"), &[("base", "none"), ("sure", "yes")]);
    assert!(stale.status == 422 && stale.body.contains("somebody set another model"), "{stale:?}");
    let restored = visitor.form(&oldest, &format!("{oldest}/restore"), &[("base", &base), ("sure", "yes")]);
    assert_eq!(header(&restored, "location"), path, "{restored:?}");
    assert_eq!(in_force(site, &path).as_deref(), Some(&*lamp(100)));
    assert!(!visitor.page(&path).body.contains("<code>blow</code>"));
    let noted = visitor.page("/audit").body;
    let target = format!("ProductKey={key} ModelVersion={}", versions.last().expect("the oldest"));
    assert!(noted.contains("RestoreThingModel") && noted.contains(&target), "{noted}");
    assert_eq!(visitor.page(&format!("{path}/versions/1")).status, 404);
}

#[test]
fn the_version_in_force_is_published_once_with_a_number() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = product(&mut visitor, "Numbered");
    let to = format!("{path}/versions");
    assert!(!visitor.page(&to).body.contains("Publish the one in force"), "there is none");
    saved(&mut visitor, &path, &lamp(100));
    let fields = [("number", "not a number"), ("description", "the <first>")];
    let refused = visitor.form(&to, &to, &fields);
    assert!(refused.status == 422 && refused.body.contains("ModelVersion"), "{refused:?}");
    assert!(
        refused.body.contains("value=\"not a number\"") && refused.body.contains("the &lt;first&gt;"),
        "{refused:?}"
    );
    let fields = [("number", "1.2.0"), ("description", "the <first>")];
    assert_eq!(header(&visitor.form(&to, &to, &fields), "location"), to);
    let page = visitor.page(&to).body;
    assert!(page.contains("/versions/1.2.0") && page.contains("the &lt;first&gt;"), "{page}");
    assert!(visitor.page(&format!("{to}/1.2.0")).body.contains("It changes nothing"));
    let again = visitor.form(&to, &to, &[("number", "1.2.1")]);
    assert_eq!(again.status, 422, "{again:?}");
}

#[test]
fn names_of_a_model_are_text_and_nothing_else() {
    let site = embedded();
    let mut visitor = visitor(site);
    let script = "<script>alert(1)</script>";
    let path = product(&mut visitor, "Scripted");
    let mut model: Value = serde_json::from_str(&lamp(9)).expect("JSON");
    model["services"][0]["name"] = json!(script);
    model["services"][0]["desc"] = json!(script);
    let kind = json!({ "type": "enum", "specs": { "0": script, "1": "</textarea>\"'" } });
    model["properties"] = json!([{ "identifier": "p", "name": script, "accessMode": "rw", "dataType": kind }]);
    model["events"] = json!([{ "identifier": "e", "name": script, "type": "info", "outputData": [] }]);
    let text = model.to_string();
    let check = checked(&mut visitor, &path, &text);
    assert_eq!(check.status, 200, "{check:?}");
    assert_eq!(header(&saved(&mut visitor, &path, &text), "location"), path);
    let other = checked(&mut visitor, &path, &text.replace("</textarea>", script)).body;
    let wrong = checked(&mut visitor, &path, &text.replace("\"sync\"", &format!("\"{script}\""))).body;
    let module = checked(&mut visitor, &path, &fan(script)).body;
    for page in
        [check.body, other, wrong, module, visitor.page(&path).body, visitor.page(&format!("{path}/model")).body]
    {
        assert!(!page.contains(script), "{page}");
        assert_eq!(page.matches("</textarea>").count(), page.matches("<textarea").count(), "{page}");
    }
}

#[test]
fn a_key_without_the_right_is_told_nothing_of_a_model_and_sets_none() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = product(&mut visitor, "Closed");
    saved(&mut visitor, &path, &lamp(123));
    let key = path.trim_start_matches("/products/");
    for (id, rule) in [
        ("models-none", format!("actions=*;products={PRODUCT}")),
        ("models-reads", format!("actions=Query*,Get*,List*;products={key}")),
        ("models-blind", format!("actions=ImportThingModelTsl;products={key}")),
    ] {
        site.command(&["key", "add", "--id", id, "--secret", "models-secret", "--allow", &rule]);
        let mut few = Visitor::logged_in(site.console(), id, "models-secret");
        let fields = [("module", ""), ("text", &*lamp(7)), ("base", "none"), ("checked", "x"), ("sure", "yes")];
        for what in ["check", "save"] {
            let answer = few.form("/", &format!("{path}/model/{what}"), &fields);
            assert!(answer.status == 422 && answer.body.contains("Forbidden.RAM"), "{id} {what}: {answer:?}");
            assert!(!answer.body.contains("123"), "{id} {what}: {answer:?}");
        }
        let restored = few.form("/", &format!("{path}/versions/1/restore"), &[("base", "none"), ("sure", "yes")]);
        assert_ne!(restored.status, 303, "{id}");
        if id != "models-reads" {
            for page in ["model", "versions", "model/file?module=-", "versions/1"] {
                let page = few.page(&format!("{path}/{page}"));
                assert!(page.status == 404 && page.body.contains("Forbidden.RAM"), "{id}: {page:?}");
            }
        }
    }
    assert_eq!(in_force(site, &path).as_deref(), Some(&*lamp(123)));
}

#[test]
fn a_text_beyond_the_limit_is_refused_with_the_limit() {
    let site = Site::embedded(&[("CONSOLE__BODY_BYTES_MAX", "20000")]);
    let mut visitor = visitor(&site);
    let answer = checked(&mut visitor, &format!("/products/{PRODUCT}"), &" x".repeat(20_000));
    assert!(answer.status == 413 && answer.body.contains("20000 ([console] body_bytes_max)"), "{answer:?}");
}

#[test]
fn a_large_module_is_shown_page_by_page() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = product(&mut visitor, "Large");
    let service = |nth: i32| json!({ "identifier": format!("Do{nth}"), "name": format!("Do {nth}"), "callType": "sync", "inputData": [], "outputData": [] });
    let model =
        json!({ "services": (0..250).map(service).collect::<Vec<_>>(), "properties": [], "events": [] }).to_string();
    assert_eq!(header(&saved(&mut visitor, &path, &model), "location"), path);
    let page = visitor.page(&path).body;
    assert!(page.contains("Do119<") && !page.contains("Do120<") && page.len() < 100_000, "{} bytes", page.len());
    let third = visitor.page(&format!("{path}?module=-&page=3")).body;
    assert!(third.contains("Do240<") && third.contains("Do249<") && !third.contains("Do239<"), "{third}");
}

#[test]
fn in_a_browser_a_file_with_a_mistake_is_mended_and_saved() {
    const FILE: &str = "Choose a file, or drop one onto the text";
    let site = embedded();
    let mut visitor = visitor(site);
    let path = product(&mut visitor, "By hand");
    let browser = Browser::logged_in(site.console(), "en-US", (&site.key.id, &site.key.secret));
    browser.go(&format!("{path}/model"));
    browser.give_file(FILE, "wrong.json", &lamp(9).replace("\"sync\"", "\"sometimes\""));
    browser.wait("In the text below is now wrong.json");
    browser.button("Check, and show what it changes");
    browser.wait("Nothing was saved. Problems: 1");
    assert_eq!(browser.accessibility(), Vec::<String>::new());
    browser.width(360);
    assert!(browser.overflow() <= 0, "{} pixels too wide", browser.overflow());
    browser.width(1280);
    browser.give_file(FILE, "right.json", &lamp(9));
    browser.wait("In the text below is now right.json");
    browser.button("Check, and show what it changes");
    browser.wait("It is right");
    assert_eq!(browser.accessibility(), Vec::<String>::new());
    browser.width(360);
    assert!(browser.overflow() <= 0, "{} pixels too wide", browser.overflow());
    browser.tick("I have seen what it changes");
    browser.button("Save: it is in force at once");
    browser.wait("By hand");
    assert_eq!(browser.shown().url, path);
    assert_eq!(in_force(site, &path).as_deref(), Some(&*lamp(9)));
    // A browser reports the page with the mistake as an answer of status 422.
    let problems: Vec<_> = browser.problems().into_iter().filter(|problem| !problem.contains("422")).collect();
    assert_eq!(problems, Vec::<String>::new());
}
