//! Keys and settings in the console: who may, what is shown once and never again, and what the audit log tells of it.

use thingcall_tests::{HttpAnswer, Site, Visitor, eventually};

fn visitor(site: &Site) -> Visitor {
    Visitor::logged_in(site.console(), &site.key.id, &site.key.secret)
}

/// What a page shows under this name.
fn shown(page: &HttpAnswer, name: &str) -> String {
    let behind = page.body.split_once(&format!("<dt>{name}</dt><dd><code>")).unwrap_or_else(|| panic!("{page:?}")).1;
    behind.split('<').next().expect("a value").to_owned()
}

#[test]
fn a_key_is_made_with_its_secret_shown_once_and_works() {
    let site = Site::embedded(&[]);
    let mut visitor = visitor(&site);
    let fields = [("id", "by-console"), ("account", "acme"), ("rules", "actions=Query*\n\n actions=ConsoleLook \n")];
    let made = visitor.form("/keys", "/keys", &fields);
    assert!(made.status == 200 && made.head.contains("no-store"), "{made:?}");
    let secret = shown(&made, "AccessKey Secret");
    assert_eq!((shown(&made, "AccessKey ID").as_str(), secret.len()), ("by-console", 30));
    let mut new = Visitor::logged_in(site.console(), "by-console", &secret);
    assert!(!new.page("/calls").body.contains("Forbidden.RAM"));
    for path in ["/keys", "/keys/by-console", "/audit", "/settings", "/", "/products"] {
        assert!(!visitor.page(path).body.contains(&secret), "{path}");
    }
    assert!(!site.program.log().contains(&secret), "it is in no log");
    let page = visitor.page("/keys/by-console");
    assert!(page.body.contains("actions=Query*\nactions=ConsoleLook") && page.body.contains("acme"), "{page:?}");
    let audit = visitor.page("/audit").body;
    assert!(audit.contains("CreateAccessKey") && audit.contains("AccessKeyId=by-console"), "{audit}");
    let again = visitor.form("/keys", "/keys", &fields);
    assert!(again.status == 422 && again.body.contains("exists already"), "{again:?}");
}

#[test]
fn a_key_is_changed_disabled_and_removed() {
    let site = Site::embedded(&[]);
    site.command(&["key", "add", "--id", "changing", "--secret", "changing-secret"]);
    let mut visitor = visitor(&site);
    let mut changing = Visitor::logged_in(site.console(), "changing", "changing-secret");
    let page = "/keys/changing";
    let wrong = [("rules", "actions=Query*\ncolours=red")];
    let refused = visitor.form(page, "/keys/changing/rules", &wrong);
    assert!(
        refused.status == 422 && refused.body.contains("line 2") && refused.body.contains("right are"),
        "{refused:?}"
    );
    let neither = visitor.form(page, "/keys/changing/rules", &[]);
    assert!(neither.status == 422 && neither.body.contains("a rule is empty"), "{neither:?}");
    let set = visitor.form(page, "/keys/changing/rules", &[("rules", "actions=Qery*")]);
    assert_eq!(set.status, 303, "{set:?}");
    assert!(visitor.page(page).body.contains("No action here has this name"));
    assert!(changing.page("/products").body.contains("Forbidden.RAM"));
    let temporary = visitor.form(page, "/keys/changing/temporary", &[("lasts", "1h"), ("everything", "yes")]);
    assert!(shown(&temporary, "AccessKey ID").starts_with("STS."), "{temporary:?}");
    let wrong = visitor.form(page, "/keys/changing/temporary", &[("lasts", "30d"), ("everything", "yes")]);
    assert!(wrong.status == 422 && wrong.body.contains("168 h"), "{wrong:?}");
    assert_eq!(visitor.form(page, "/keys/changing/disable", &[]).status, 303);
    assert_eq!(changing.page("/products").status, 303, "its login ends with it");
    assert!(visitor.page(page).body.contains("disabled"));
    assert_eq!(visitor.form(page, "/keys/changing/remove", &[]).status, 422, "not by chance");
    assert_eq!(visitor.form(page, "/keys/changing/remove", &[("sure", "yes")]).status, 303);
    assert_eq!(visitor.page(page).status, 404);
    let audit = visitor.page("/audit").body;
    for action in ["SetAccessKeyRules", "CreateTemporaryAccessKey", "DisableAccessKey", "RemoveAccessKey"] {
        assert!(audit.contains(action), "{action} is not in {audit}");
    }
}

#[test]
fn the_last_one_who_administers_stays() {
    let site = Site::embedded(&[]);
    let mut visitor = visitor(&site);
    let page = format!("/keys/{}", site.key.id);
    for (what, fields) in
        [("disable", vec![]), ("remove", vec![("sure", "yes")]), ("rules", vec![("rules", "actions=Query*")])]
    {
        let refused = visitor.form(&page, &format!("{page}/{what}"), &fields);
        assert!(refused.status == 422 && refused.body.contains("last_administrator"), "{what}: {refused:?}");
    }
    assert_eq!(visitor.page("/keys").status, 200);
    assert!(visitor.page("/audit").body.contains("last_administrator"));
}

#[test]
fn who_does_not_administer_sees_and_changes_no_key_and_no_setting() {
    let site = Site::embedded(&[]);
    let rules = "actions=Query*,ConsoleLook,ConsoleOperate";
    site.command(&["key", "add", "--id", "operates", "--secret", "operates-secret", "--allow", rules]);
    let mut few = Visitor::logged_in(site.console(), "operates", "operates-secret");
    for path in ["/keys", "/keys/testid", "/settings"] {
        let page = few.page(path);
        assert!(page.body.contains("ConsoleAdminister") && !page.body.contains("name=\"rules\""), "{path}: {page:?}");
    }
    let everything = ("everything", "yes");
    for (path, fields, action) in [
        ("/keys", vec![everything, ("id", "mine")], "CreateAccessKey"),
        ("/keys/operates/rules", vec![everything], "SetAccessKeyRules"),
        ("/keys/testid/disable", vec![], "DisableAccessKey"),
        ("/keys/testid/enable", vec![], "EnableAccessKey"),
        ("/keys/testid/remove", vec![("sure", "yes")], "RemoveAccessKey"),
        ("/keys/testid/temporary", vec![("lasts", "1h"), everything], "CreateTemporaryAccessKey"),
        ("/settings/log", vec![("level", "debug"), ("lasts", "")], "SetLogLevel"),
    ] {
        let refused = few.form("/calls", path, &fields);
        assert!(refused.body.contains("Forbidden.RAM"), "{path}: {refused:?}");
        let audit = few.page("/audit?key=operates").body;
        let row = audit.split("<tr>").find(|row| row.contains(action)).unwrap_or_else(|| panic!("{action}: {audit}"));
        assert!(row.contains("Forbidden.RAM"), "{row}");
    }
    assert!(visitor(&site).page("/keys").body.contains(rules));
}

#[test]
fn the_configuration_in_force_is_shown_without_secrets() {
    let site = Site::embedded(&[("CONSOLE__LOCK_OUT", "61s")]);
    let mut admin = visitor(&site);
    let set = admin.page("/settings?set=yes").body;
    for text in ["console.lock_out", "61s", "environment variable THINGCALL__CONSOLE__LOCK_OUT"] {
        assert!(set.contains(text), "{text} is not in {set}");
    }
    assert!(!set.contains(">default<"), "{set}");
    let all = admin.page("/settings?part=journal_records");
    assert!(all.body.contains("1000000") && all.body.contains("default"), "{all:?}");
    assert!(admin.page("/settings").body.len() < 100_000);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let toml = format!("[webhooks.w]\nurl = \"http://127.0.0.1:9/unseen-path\"\nsecret = \"{secret}\"\n");
    let site = Site::with_plugins(&toml, &[]);
    let set = visitor(&site).page("/settings?set=yes").body;
    for text in ["webhooks.w.secret", "a secret, not shown", ".toml:3"] {
        assert!(set.contains(text), "{text} is not in {set}");
    }
    assert!(!set.contains(secret) && !set.contains("unseen-path"), "{set}");
}

#[test]
fn the_log_level_is_changed_for_a_while_and_back() {
    let site = Site::embedded(&[]);
    let mut visitor = visitor(&site);
    let wrong = visitor.form("/settings", "/settings/log", &[("level", "warning"), ("lasts", "")]);
    assert!(wrong.status == 422 && wrong.body.contains("right is"), "{wrong:?}");
    assert_eq!(visitor.form("/settings", "/settings/log", &[("level", "debug"), ("lasts", "1h")]).status, 303);
    let page = visitor.page("/settings").body;
    assert!(page.contains("<code>debug</code>") && page.contains("Back to what is configured"), "{page}");
    site.ask("QueryProduct", &serde_json::json!({ "ProductKey": "a1none" }));
    eventually("it is logged", || Some(()).filter(|()| site.program.log().contains("request failed")));
    assert_eq!(visitor.form("/settings", "/settings/log", &[("back", "yes")]).status, 303);
    assert!(!visitor.page("/settings").body.contains("<code>debug</code>"));
    let audit = visitor.page("/audit").body;
    assert!(audit.contains("SetLogLevel") && audit.contains("as configured"), "{audit}");
}
