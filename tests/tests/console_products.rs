//! Products in the console: found, made, set up, looked at as tables, removed.

use serde_json::json;
use thingcall_tests::{HttpAnswer, PRODUCT, Site, Visitor};

use crate::sites::embedded;

fn visitor(site: &Site) -> Visitor {
    Visitor::logged_in(site.console(), &site.key.id, &site.key.secret)
}

fn location(answer: &HttpAnswer) -> &str {
    let to = answer
        .head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("location"));
    to.map_or("", |(_, value)| value)
}

/// A product of this name, made by the form; the path of its page.
fn made(visitor: &mut Visitor, name: &str) -> String {
    let made = visitor.form("/products", "/products", &[("name", name), ("format", "1"), ("check", "1")]);
    assert_eq!(made.status, 303, "{made:?}");
    location(&made).to_owned()
}

/// The value that a field to choose from has.
fn chosen<'p>(page: &'p str, name: &str) -> &'p str {
    let field = page.split_once(&format!("<select id=\"{name}\"")).expect("the field").1;
    let field = field.split("</select>").next().unwrap_or_default();
    let option = field.split("<option").find(|option| option.contains(" selected")).expect("one is chosen");
    option.split('"').nth(1).expect("its value")
}

#[test]
fn a_product_is_made_as_the_form_says_found_by_a_part_of_its_name_and_removed() {
    let site = embedded();
    let mut visitor = visitor(site);
    let fields = [
        ("name", "Sorting machine"),
        ("description", "sorts & packs"),
        ("format", "0"),
        ("check", "2"),
        ("network", "ETHERNET"),
    ];
    let answer = visitor.form("/products", "/products", &fields);
    let path = location(&answer).to_owned();
    let key = path.trim_start_matches("/products/").to_owned();
    let told = site.ask("QueryProduct", &json!({ "ProductKey": key })).ok();
    let data = &told.body()["Data"];
    assert_eq!(
        (&data["DataFormat"], &data["ValidateType"], &data["NetType"]),
        (&json!(0), &json!(2), &json!(7)),
        "{data}"
    );
    let page = visitor.page(&path).body;
    assert!(page.contains("sorts &amp; packs") && page.contains("no thing model yet"), "{page}");
    for search in ["sorting+mach", &key[2..7], &key] {
        let found = visitor.page(&format!("/products?search={search}")).body;
        assert!(found.contains(&key), "{search}: {found}");
    }
    assert!(!visitor.page("/products?search=nothing+like+it").body.contains(&key));
    let unsure = visitor.form(&path, &format!("{path}/remove"), &[]);
    assert!(unsure.status == 422 && unsure.body.contains("Tick the box"), "{unsure:?}");
    assert_eq!(location(&visitor.form(&path, &format!("{path}/remove"), &[("sure", "yes")])), "/products");
    assert_eq!(visitor.page(&path).status, 404);
}

#[test]
fn a_form_that_is_refused_comes_back_with_what_was_typed() {
    let site = embedded();
    let mut visitor = visitor(site);
    let long = "x".repeat(31);
    let fields =
        [("name", long.as_str()), ("description", "kept \"as\" it was"), ("format", "0"), ("network", "CELLULAR")];
    let refused = visitor.form("/products", "/products", &fields);
    assert_eq!(refused.status, 422, "{refused:?}");
    for text in ["longer than 30", &long, "kept &quot;as&quot; it was"] {
        assert!(refused.body.contains(text), "{text}: {}", refused.body);
    }
    assert_eq!((chosen(&refused.body, "format"), chosen(&refused.body, "network")), ("0", "CELLULAR"));
    let path = made(&mut visitor, "Typed again");
    let renamed = visitor.form(&path, &format!("{path}/name"), &[("name", &long), ("description", "so it is")]);
    assert!(renamed.status == 422 && renamed.body.contains(&long) && renamed.body.contains("so it is"), "{renamed:?}");
    let renamed = visitor.form(&path, &format!("{path}/name"), &[("name", "Renamed"), ("description", "so it is")]);
    assert_eq!(location(&renamed), path, "{renamed:?}");
    assert!(visitor.page(&path).body.contains("<h1>Renamed</h1>"));
}

#[test]
fn settings_are_changed_in_a_form_and_what_was_not_changed_there_stays() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = made(&mut visitor, "Settled");
    let to = format!("{path}/settings");
    let key = path.trim_start_matches("/products/");
    let fields = [
        ("validation", "model"),
        ("was_validation", "model"),
        ("reply_check", "reject"),
        ("was_reply_check", "warn"),
        ("pacing", "after_answer"),
        ("was_pacing", "all_at_once"),
        ("transport", "embedded"),
        ("was_transport", "auto"),
        ("registration", "any"),
        ("was_registration", "off"),
    ];
    assert_eq!(location(&visitor.form(&path, &to, &fields)), path);
    let page = visitor.page(&path).body;
    assert_eq!(location(&visitor.page(&to)), path, "there is nothing to look at");
    for (name, value) in [
        ("reply_check", "reject"),
        ("pacing", "after_answer"),
        ("transport", "embedded"),
        ("registration", "any"),
        ("args_check", "weak"),
    ] {
        assert_eq!(chosen(&page, name), value, "{name}");
    }
    let shown = site.command_json(&["product", "show", key]);
    assert_eq!(shown["settings"]["replyCheck"], "reject", "{shown}");
    let stale = [
        ("validation", "model"),
        ("was_validation", "model"),
        ("pacing", "all_at_once"),
        ("was_pacing", "all_at_once"),
    ];
    visitor.form(&path, &to, &[&stale[..], &[("args_check", "strict"), ("was_args_check", "weak")]].concat());
    let page = visitor.page(&path).body;
    assert_eq!((chosen(&page, "pacing"), chosen(&page, "args_check")), ("after_answer", "strict"));
    let refused =
        visitor.form(&path, &to, &[("validation", "model"), ("was_validation", "model"), ("transport", "moon")]);
    assert!(refused.status == 422 && refused.body.contains("moon is not configured"), "{refused:?}");
}

#[test]
fn the_secret_of_a_product_is_shown_when_it_is_asked_for_and_not_before() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = made(&mut visitor, "Secretive");
    let fields =
        [("validation", "model"), ("was_validation", "model"), ("registration", "any"), ("was_registration", "off")];
    visitor.form(&path, &format!("{path}/settings"), &fields);
    let key = path.trim_start_matches("/products/");
    let told = site.ask("QueryProduct", &json!({ "ProductKey": key })).ok();
    let secret = told.text_at("Data.ProductSecret").to_owned();
    assert!(!visitor.page(&path).body.contains(&secret));
    assert!(visitor.form(&path, &format!("{path}/secret"), &[]).body.contains(&secret));
}

#[test]
fn every_module_is_a_section_of_tables() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = format!("/products/{PRODUCT}");
    let page = visitor.page(&path).body;
    for text in
        ["SetScene", "Overheat", "<code>testFb</code>", "testService", "resetLater", "0 = auto", "async", "0 … 1000"]
    {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    let module = visitor.page(&format!("{path}?module=testFb")).body;
    assert!(module.contains("testService") && !module.contains("SetScene"), "{module}");
    let default = visitor.page(&format!("{path}?module=-")).body;
    assert!(default.contains("SetScene") && !default.contains("testService"), "{default}");
    assert!(visitor.page(&format!("{path}?module=nothing")).body.contains("no such module"));
}

#[test]
fn a_key_without_the_right_is_told_so_and_nothing_else() {
    let site = embedded();
    let mut visitor = visitor(site);
    let path = made(&mut visitor, "Not yours");
    let rule = format!("actions=*;products={PRODUCT}");
    site.command(&["key", "add", "--id", "products-few", "--secret", "few-secret", "--allow", &rule]);
    let mut few = Visitor::logged_in(site.console(), "products-few", "few-secret");
    let page = few.page(&path);
    assert!(page.status == 404 && page.body.contains("Forbidden.RAM") && !page.body.contains("Not yours"), "{page:?}");
    for (what, fields) in [
        ("settings", &[("pacing", "after_ack"), ("was_pacing", "all_at_once")][..]),
        ("remove", &[("sure", "yes")]),
        ("name", &[("name", "Mine")]),
        ("secret", &[]),
    ] {
        let answer = few.form("/", &format!("{path}/{what}"), fields);
        assert!(answer.body.contains("Forbidden.RAM") && !answer.body.contains("Not yours"), "{what}: {answer:?}");
    }
    let own = few.form("/", &format!("/products/{PRODUCT}/settings"), &[("pacing", "after_ack")]);
    assert!(own.status == 422 && own.body.contains("ConsoleOperate"), "{own:?}");
    assert_eq!(chosen(&visitor.page(&path).body, "pacing"), "all_at_once");
}
