//! What made-up names look like.

use super::*;

#[test]
fn made_up_names_are_what_their_types_take() {
    let product = product_key().unwrap();
    assert!(product.len() == 11 && product.starts_with(|c: char| c.is_ascii_alphabetic()));
    assert!(thingcall_core::ProductKey::try_from(product.as_str()).is_ok());
    assert!(thingcall_core::DeviceName::try_from(device_name().unwrap().as_str()).is_ok());
    assert!(thingcall_core::IotId::try_from(iot_id().unwrap().as_str()).is_ok());
    assert_eq!(device_secret().unwrap().len(), 32);
    assert_eq!(access_key_id().unwrap().len(), 24);
    assert_eq!(access_key_secret().unwrap().len(), 30);
}

#[test]
fn every_letter_of_the_alphabet_turns_up_and_no_text_twice() {
    let texts: std::collections::HashSet<String> = (0..200).map(|_| access_key_secret().unwrap()).collect();
    assert_eq!(texts.len(), 200);
    let seen: std::collections::HashSet<char> = texts.iter().flat_map(|text| text.chars()).collect();
    assert_eq!(seen.len(), MIXED.len());
}
