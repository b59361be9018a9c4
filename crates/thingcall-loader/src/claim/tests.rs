//! Facts about `claim.rs`.

use proptest::prelude::*;

use super::*;
use crate::testsite::call;

fn claim(text: &str) -> Claim {
    text.parse().unwrap()
}

fn refusal(text: &str) -> String {
    text.parse::<Claim>().unwrap_err().to_string()
}

#[test]
fn each_form_of_claim_is_read() {
    let service = |text: &str| Scope::Service(text.parse().unwrap());
    let module = |text: &str| Scope::Module(Some(text.parse().unwrap()));
    for (text, scope) in [
        ("testFb:testService", service("testFb:testService")),
        ("testService", service("testService")),
        ("testFb:*", module("testFb")),
        (":*", Scope::Module(None)),
        ("*", Scope::All),
    ] {
        assert_eq!(claim(text), Claim { product: None, scope: scope.clone() }, "{text}");
        let of_product = Claim { product: Some("a1B2".parse().unwrap()), scope };
        assert_eq!(claim(&format!("a1B2/{text}")), of_product, "{text}");
    }
}

#[test]
fn what_is_no_claim_is_refused_with_what_would_be_right() {
    assert_eq!(
        refusal("testFb:"),
        "claim \"testFb:\" is wrong: \"\" is not a identifier: 1 to 50 of A-Z a-z 0-9 _; right are module:service, \
         service, module:*, :* and *, each also after PRODUCT/"
    );
    for text in ["", ":", ":svc", "a:b:c", "/svc", "pk/", "p k/svc", "a/b/c", "**", "mod:**", "*:svc", "*:*", "svc "] {
        assert!(refusal(text).starts_with("claim "), "{text}");
    }
}

#[test]
fn claim_fits_only_calls_of_its_product_and_scope() {
    for (text, product, service, fits) in [
        ("fb:set", "a", "fb:set", true),
        ("fb:set", "a", "fb:get", false),
        ("fb:set", "a", "set", false),
        ("set", "a", "set", true),
        ("set", "a", "fb:set", false),
        ("fb:*", "a", "fb:get", true),
        ("fb:*", "a", "get", false),
        (":*", "a", "get", true),
        (":*", "a", "fb:get", false),
        ("*", "a", "fb:get", true),
        ("a/*", "a", "get", true),
        ("a/*", "b", "get", false),
        ("a/fb:set", "a", "fb:set", true),
    ] {
        assert_eq!(claim(text).fits(&call(product, service)), fits, "{text} {product} {service}");
    }
}

#[test]
fn double_claims_count_once() {
    let claims: Vec<Claim> = parse_all(&["b".to_owned(), "a".to_owned(), "b".to_owned()]).unwrap();
    assert_eq!(claims, [claim("a"), claim("b")]);
}

#[test]
fn codec_is_a_product_key_or_a_star() {
    assert_eq!("*".parse::<CodecClaim>().unwrap(), CodecClaim::All);
    assert_eq!("a1B2".parse::<CodecClaim>().unwrap().to_string(), "a1B2");
    assert!("a/b".parse::<CodecClaim>().unwrap_err().to_string().starts_with("codec \"a/b\" is wrong: "));
}

proptest! {
    #[test]
    fn claim_reads_what_it_writes(text in "([a-z]{1,3}/)?(\\*|:\\*|[a-z]{1,3}(:([a-z]{1,3}|\\*))?)") {
        prop_assert_eq!(claim(&text).to_string(), text);
    }

    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,20}") {
        if let Ok(claim) = text.parse::<Claim>() {
            prop_assert_eq!(claim.to_string(), text);
        }
    }
}
