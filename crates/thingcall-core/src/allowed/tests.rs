//! What rules allow, and what is no rule.

use super::*;

fn rules(text: &str) -> AllowList {
    text.parse().unwrap()
}

const fn device<'a>(product: &'a str, name: &'a str) -> Target<'a> {
    Target::Device { product, name }
}

#[test]
fn a_rule_allows_its_actions_about_what_it_names_and_nothing_else() {
    let all = [
        device("a1Bxx", "d"),
        device("pk", "dn7"),
        device("pk", "other"),
        Target::Product("a1Bxx"),
        Target::Product("pk"),
        Target::AllProducts,
        Target::Group("G1"),
        Target::AllGroups,
    ];
    for (rule, allowed) in [
        ("actions=*", "11111111"),
        ("actions=Query*,Invoke", "00000000"),
        ("actions=Query*,InvokeThing*", "11111111"),
        ("actions=iot:InvokeThingService", "11111111"),
        ("products=a1B*", "10010000"),
        ("devices=pk/dn*", "01000000"),
        ("devices=p*/*", "01100000"),
        ("devices=*/*", "11100000"),
        ("products=a1B*;devices=pk/dn*", "11010000"),
        ("products=*", "11111100"),
        ("products=x,**", "11111100"),
        ("groups=G*", "00000010"),
        ("groups=*", "00000011"),
        ("groups=*;products=pk", "01101011"),
        ("actions=InvokeThingService;products=pk", "01101000"),
        ("products=a1B*\ndevices=pk/dn*\ngroups=G1", "11010010"),
    ] {
        let list = rules(rule);
        let is: String = all.iter().map(|to| u8::from(list.allows("InvokeThingService", *to)).to_string()).collect();
        assert_eq!(is, allowed, "{rule}");
    }
    let nothing = AllowList::nothing();
    assert!(all.iter().all(|target| !nothing.allows("InvokeThingService", *target)));
}

#[test]
fn a_star_stands_for_any_characters() {
    for (pattern, yes, no) in [
        ("a", &["a"][..], &["", "aa", "A", "b"][..]),
        ("*", &["", "a", "a*b"], &[]),
        ("a*", &["a", "ab", "a*"], &["", "ba"]),
        ("*a", &["a", "ba", "aa"], &["", "ab"]),
        ("a*b*c", &["abc", "axbxc", "abcbc", "abbc"], &["ac", "abcd", "ab", "acb"]),
        ("*ab*ab*", &["abab", "xabxabx"], &["ab", "aab", "aba"]),
        ("a*a", &["aa", "aba"], &["a", "ab"]),
    ] {
        let pattern = Pattern(pattern.to_owned());
        assert!(yes.iter().all(|text| pattern.matches(text)), "{pattern:?}");
        assert!(no.iter().all(|text| !pattern.matches(text)), "{pattern:?}");
    }
}

#[test]
fn what_is_no_rule_is_told_with_what_would_be_right() {
    for (text, said) in [
        ("", "a rule is empty"),
        (" ; ;", "a rule is empty"),
        ("actions", "\"actions\" is no part"),
        ("action=*", "right are actions=, products=, devices= and groups="),
        ("actions=a;actions=b", "actions= twice"),
        ("actions=", "\"\" in actions= is no pattern"),
        ("actions=a,,b", "\"\" in actions= is no pattern"),
        ("products=a b", "\"a b\" in products= is no pattern"),
        ("devices=dn", "as PRODUCTKEY/DEVICENAME"),
        ("devices=pk/", "as PRODUCTKEY/DEVICENAME"),
        ("devices=pk/a/b", "as PRODUCTKEY/DEVICENAME"),
        (&"x".repeat(1025), "1025 bytes"),
    ] {
        let error = text.parse::<Rule>().unwrap_err().to_string();
        assert!(error.contains(said), "{text:?}: {error}");
    }
    assert_eq!(AllowList::new(Vec::new()), Err(BadRule::Empty));
    assert_eq!("".parse::<AllowList>(), Err(BadRule::Empty));
    assert_eq!(vec!["actions=a"; 65].join("\n").parse::<AllowList>(), Err(BadRule::TooMany(65)));
}

#[test]
fn rules_are_written_as_they_are_read() {
    let list = rules(" actions = a , b ;; products=*;\ndevices=pk/*");
    assert_eq!(list.to_string(), "actions = a , b;products=*\ndevices=pk/*");
    assert_eq!(rules(&list.to_string()), list);
}

#[test]
fn rules_within_others_allow_what_both_do() {
    let inner = rules("products=*").within(Arc::new(rules("actions=Query*\nproducts=a")));
    assert!(inner.may("GetProduct"), "of a");
    let narrow = rules("actions=Get*").within(Arc::new(rules("actions=Query*")));
    assert!(!narrow.may("GetProduct") && !narrow.may("QueryProduct"));
    assert!(inner.allows("QueryProduct", Target::Product("b")) && inner.allows("Invoke", Target::Product("a")));
    assert!(!inner.allows("Invoke", Target::Product("b")) && !inner.allows("QueryGroup", Target::AllGroups));
    assert_eq!(inner.to_string(), "products=*");
}

#[test]
fn rules_say_whether_they_are_of_an_action_and_of_some_devices() {
    let list = rules("actions=Query*;devices=a*/d1\nactions=Cancel*;products=b");
    assert!(list.may("QueryFleetCall") && list.may("CancelFleetCall") && !list.may("CreateFleetCall"));
    assert!(list.allow_some_of("QueryFleetCall", "a1") && list.allow_some_of("CancelFleetCall", "b"));
    assert!(!list.allow_some_of("QueryFleetCall", "b") && !list.allow_some_of("CancelFleetCall", "a1"));
    assert!(rules("actions=Query*").allow_some_of("QueryFleetCall", "b"));
    let inner = rules("devices=a/*").within(Arc::new(rules("actions=Query*;devices=a/d1")));
    assert!(inner.allow_some_of("QueryFleetCall", "a") && !inner.allow_some_of("CancelFleetCall", "a"));
    assert!(inner.may("QueryFleetCall") && !inner.may("CancelFleetCall"));
}
