//! The audit log: what the console, signed requests and the command line changed, and what was refused.

use serde_json::json;
use thingcall_tests::{PRODUCT, Site, Visitor, eventually};

const ROUTES: &str = include_str!("../../crates/thingcall-console/src/routes.rs");

/// The paths to which the console takes forms.
fn forms() -> Vec<String> {
    let code: String = ROUTES.split_whitespace().collect();
    let routes = code.split(".route(\"").skip(1).map(|route| route.split_once('"').expect("a path"));
    routes.filter(|(_, rest)| rest.contains("post(")).map(|(path, _)| path.to_owned()).collect()
}

/// How many entries there are, as the metrics say.
fn entries(site: &Site) -> f64 {
    site.program.metrics().sum("thingcall_store_audit_entries", &[])
}

/// The rows of the log that hold all of these.
fn rows(visitor: &mut Visitor, query: &str, texts: &[&str]) -> Vec<String> {
    let page = visitor.page(&format!("/audit{query}"));
    assert_eq!(page.status, 200, "{page:?}");
    let rows = page.body.split("<tr>").skip(1);
    rows.filter(|row| texts.iter().all(|text| row.contains(text))).map(str::to_owned).collect()
}

#[test]
fn every_form_leaves_an_entry() {
    let site = Site::embedded(&[]);
    let (id, secret) = (site.key.id.as_str(), site.key.secret.as_str());
    let forms = forms();
    assert!(forms.len() > 4, "{forms:?}");
    for path in forms {
        let filled = path
            .split('/')
            .map(|part| if part.starts_with('{') { "nothing" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let mut visitor = Visitor::logged_in(site.console(), id, secret);
        let before = entries(&site);
        let answer = visitor.form("/products", &filled, &[("name", "an audited one")]);
        let more = entries(&site) - before;
        // What an action of the explorer's changes leaves an entry, and not that its form was sent.
        let right = if ["/language", "/explorer/{action}"].contains(&path.as_str()) { 0.0 } else { 1.0 };
        assert!((more - right).abs() < 0.5, "{path}: {more} entries, {answer:?}");
    }
}

#[test]
fn a_change_is_told_with_who_what_about_what_its_end_and_from_where() {
    let site = Site::embedded(&[]);
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    visitor.form("/products", "/products", &[("name", "<script>alert(1)</script>")]);
    visitor.form("/products", "/products", &[("name", "Audited lamp")]);
    visitor.form("/", "/plugins/nothing/reload", &[]);
    let explored = [("p.ProductName", "Explored lamp"), ("p.NodeType", "0")];
    visitor.form("/", "/explorer/CreateProduct", &explored);
    visitor.form("/", "/explorer/CreateProduct", &[&explored[..], &[("do", "code")]].concat());
    visitor.form("/", "/explorer/QueryProduct", &[("p.ProductKey", PRODUCT)]);
    assert_eq!(rows(&mut visitor, "", &["CreateProduct", "ProductName=Explored lamp", ">done<"]).len(), 1);
    assert!(rows(&mut visitor, "", &["explorer"]).is_empty() && rows(&mut visitor, "", &["QueryProduct"]).is_empty());
    let made = rows(&mut visitor, "", &["CreateProduct", "ProductName=Audited lamp", ">done<", "127.0.0.1", "testid"]);
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(rows(&mut visitor, "", &["/plugins/nothing/reload", ">404<"]).len(), 1);
    assert_eq!(rows(&mut visitor, "", &["LogIn", "AccessKeyId=testid", ">done<"]).len(), 1);
    let page = visitor.page("/audit").body;
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>alert"), "{page}");
    visitor.form("/", "/logout", &[]);
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    assert_eq!(rows(&mut visitor, "", &["LogOut", ">done<"]).len(), 1);
    assert!(rows(&mut visitor, "?key=another", &["testid"]).is_empty());
    assert!(rows(&mut visitor, "?until=1h", &["testid"]).is_empty());
    assert_eq!(rows(&mut visitor, "?key=testid&since=1h", &["LogOut"]).len(), 1);
    let wrong = visitor.page("/audit?since=yesterday");
    assert!(wrong.status == 422 && wrong.body.contains("right is"), "{wrong:?}");
}

#[test]
fn what_is_refused_is_told_too() {
    let site = Site::embedded(&[("CONSOLE__FAILED_LOGINS_MAX", "2")]);
    site.command(&["key", "add", "--id", "audit-few", "--secret", "few-secret", "--allow", "actions=ConsoleLook"]);
    let mut few = Visitor::logged_in(site.console(), "audit-few", "few-secret");
    for (path, action) in [("/products", "CreateProduct"), ("/plugins/x/reload", "/plugins/x/reload")] {
        let refused = few.form("/audit", path, &[("name", "no")]);
        assert!(refused.status == 422 && refused.body.contains("Forbidden.RAM"), "{refused:?}");
        assert_eq!(rows(&mut few, "", &[action, "audit-few", "Forbidden.RAM"]).len(), 1, "{action}");
    }
    let mut stranger = Visitor::new(site.console());
    assert_eq!(stranger.send("POST", "/products", &[("name", "no")]).status, 303);
    assert_eq!(rows(&mut few, "", &["POST /products", "NoLogin", "nobody known"]).len(), 1);
    few.send("POST", "/products", &[("name", "without a token")]);
    assert_eq!(rows(&mut few, "", &["POST /products", ">403<", "audit-few"]).len(), 1);
    for _ in 0..3 {
        stranger.log_in("testid", "wrong-secret");
    }
    stranger.log_in("pasted-into-the-wrong-field", "x");
    assert_eq!(rows(&mut few, "", &["LogIn", "AccessKeyId=testid", ">refused<", "nobody known"]).len(), 2);
    assert_eq!(rows(&mut few, "", &["LogIn", "AccessKeyId=testid", ">locked_out<", "nobody known"]).len(), 1);
    let page = few.page("/audit").body;
    for secret in ["few-secret", "wrong-secret", "pasted-into", "testsecret"] {
        assert!(!page.contains(secret), "{secret} is in {page}");
    }
    site.command(&["key", "allow", "audit-few", "actions=Query*"]);
    eventually("the server knows", || Some(()).filter(|()| few.page("/audit").body.contains("ConsoleLook")));
}

#[test]
fn what_requests_and_the_command_line_change_is_told_and_stays() {
    let mut site = Site::embedded(&[]);
    let device = site.device("audited");
    site.ask("DisableThing", &json!({ "ProductKey": PRODUCT, "DeviceName": device.name })).ok();
    site.ask("QueryProduct", &json!({ "ProductKey": PRODUCT })).ok();
    site.command(&["key", "add", "--id", "audited-key", "--secret", "audited-secret"]);
    site.command(&["key", "disable", "audited-key"]);
    site.program.terminate();
    assert!(site.program.ended().success());
    site.start_again();
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    let target = format!("ProductKey={PRODUCT} DeviceName=audited");
    assert_eq!(rows(&mut visitor, "", &["DisableThing", "API", "testid", &target, ">done<"]).len(), 1);
    assert!(rows(&mut visitor, "", &["QueryProduct"]).is_empty());
    for action in ["CreateAccessKey", "DisableAccessKey"] {
        let told = rows(&mut visitor, "", &[action, "command line", "AccessKeyId=audited-key"]);
        assert_eq!(told.len(), 1, "{action}: {told:?}");
    }
    assert!(!visitor.page("/audit").body.contains("audited-secret"));
}

#[test]
fn a_change_whose_visitor_hangs_up_is_told() {
    // Of its own: what others change would push it off the first page.
    let site = &Site::embedded(&[]);
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    visitor.hangs_up("/products", "/products", &[("name", "Nobody waits for this")]);
    eventually("it is on record", || {
        Some(()).filter(|()| rows(&mut visitor, "", &["CreateProduct", "Nobody waits for this", ">done<"]).len() == 1)
    });
}

#[test]
fn the_log_is_read_page_by_page() {
    let site = Site::embedded(&[]);
    let mut visitor = Visitor::logged_in(site.console(), &site.key.id, &site.key.secret);
    for number in 0..101 {
        visitor.form("/products", "/products", &[("name", &format!("paged {number:03}"))]);
    }
    let first = visitor.page("/audit").body;
    assert_eq!(first.matches(">CreateProduct<").count(), 100, "{first}");
    let next = first.split_once("href=\"/audit?before=").expect("a next page").1;
    let next = format!("/audit?before={}", next.split('"').next().expect("its place"));
    let second = visitor.page(&next).body;
    assert_eq!(second.matches(">CreateProduct<").count(), 1);
    assert!(!second.contains("rel=\"next\""), "{second}");
    assert!(first.len() < 100_000, "{}", first.len());
}
