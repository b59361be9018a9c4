//! The latest models of a product.

use thingcall_tsl::{DirectoryError, Edited, MODEL_VERSIONS_MAX, ModelVersions, Pacing, Product, ThingModel};

use super::*;

fn p() -> thingcall_core::ProductKey {
    "p".try_into().unwrap()
}

fn text(service: usize) -> String {
    format!(
        r#"{{"profile":{{"version":"1.5","productKey":"p"}},"properties":[],"events":[],"services":[
        {{"identifier":"S{service}","name":"S","callType":"sync","method":"m","inputData":[],"outputData":[]}}]}}"#
    )
}

async fn numbers(store: &Store) -> Vec<String> {
    store.model_versions(&p()).await.unwrap().into_iter().map(|version| version.number).collect()
}

#[tokio::test]
async fn the_ten_latest_models_are_kept_named_and_read_again() {
    let bench = bench().await.with_devices(&[]).await;
    let store = &bench.store;
    assert_eq!(numbers(store).await, [""; 0]);
    let none = store.publish_model(&p(), Some("1.0"), None).await.unwrap_err();
    assert_eq!(none, DirectoryError::NoModel(p()));
    for service in 0..MODEL_VERSIONS_MAX + 2 {
        store.set_model(&p(), ThingModel::parse(&text(service), &[]).unwrap()).await.unwrap();
    }
    let kept = numbers(store).await;
    assert_eq!(kept.len(), MODEL_VERSIONS_MAX);
    assert!(kept.is_sorted_by(|newer, older| newer > older), "{kept:?}");
    let of = async |store: &Store, number: &str| {
        store.model_of(&p(), number).await.unwrap().map(|model| model.main_text().to_owned())
    };
    assert_eq!(of(store, &kept[0]).await, Some(text(MODEL_VERSIONS_MAX + 1)));
    assert_eq!(of(store, &kept[MODEL_VERSIONS_MAX - 1]).await, Some(text(2)));
    assert_eq!(of(store, "1.0").await, None);

    let taken = store.publish_model(&p(), Some(&kept[1]), None).await.unwrap_err();
    assert!(matches!(taken, DirectoryError::Exists(_)), "{taken:?}");
    store.publish_model(&p(), Some("1.0"), Some("\u{7b2c}\u{4e00}")).await.unwrap();
    for number in [Some("2.0"), None] {
        let nothing_new = store.publish_model(&p(), number, Some("again")).await.unwrap_err();
        assert_eq!(nothing_new, DirectoryError::Published("1.0".to_owned()));
    }
    let bench = bench.reopened().await;
    let newest = bench.store.model_versions(&p()).await.unwrap().remove(0);
    assert_eq!((&*newest.number, newest.description.as_deref()), ("1.0", Some("\u{7b2c}\u{4e00}")));
    assert_eq!(of(&bench.store, "1.0").await, Some(text(MODEL_VERSIONS_MAX + 1)));
    for service in 100..100 + MODEL_VERSIONS_MAX + 2 {
        bench.store.set_model(&p(), ThingModel::parse(&text(service), &[]).unwrap()).await.unwrap();
    }
    let kept = numbers(&bench.store).await;
    assert_eq!(
        (kept.len(), kept.last().map(String::as_str)),
        (MODEL_VERSIONS_MAX + 1, Some("1.0")),
        "no edit pushes it out"
    );
    for number in 0..MODEL_VERSIONS_MAX {
        bench.store.set_model(&p(), ThingModel::parse(&text(200 + number), &[]).unwrap()).await.unwrap();
        bench.store.publish_model(&p(), Some(&format!("2.{number}")), None).await.unwrap();
    }
    let kept = bench.store.model_versions(&p()).await.unwrap();
    let published = kept.iter().filter(|version| version.published_at.is_some());
    let published: Vec<_> = published.map(|version| version.number.as_str()).collect();
    assert_eq!(
        (published.len(), published.first(), published.last()),
        (MODEL_VERSIONS_MAX, Some(&"2.9"), Some(&"2.0"))
    );
    bench.store.remove_product(&p()).await.unwrap();
    assert_eq!(numbers(&bench.store).await, [""; 0]);
}

/// One more custom module.
fn with_module(product: &Product, id: &str) -> Edited {
    let old = product.model.as_deref();
    let mut modules: Vec<_> = old.into_iter().flat_map(|old| old.module_texts()).map(|(_, text)| text).collect();
    let module = text(0).replacen('{', &format!(r#"{{"functionBlockId":"{id}","functionBlockName":"m","#), 1);
    modules.push(&module);
    Edited::Model(ThingModel::parse(old.map_or(&*text(0), ThingModel::main_text), &modules).unwrap())
}

/// What was read before somebody else wrote was written over what that one wrote: of 32 changes 2 were left.
#[tokio::test]
async fn changes_made_at_once_by_two_processes_are_all_there() {
    let bench = bench().await.with_devices(&[]).await;
    let stores = [bench.store.clone(), bench.other().await];
    let mut all = tokio::task::JoinSet::new();
    for number in 0..24 {
        let store = stores[number % 2].clone();
        all.spawn(async move {
            let id = format!("m{number}");
            store.edit_product(&p(), &mut |product| Some(with_module(product, &id))).await.unwrap();
        });
    }
    let pacing = |product: &Product| {
        let settings = ProductSettings { pacing: Pacing::AfterAck, ..product.settings };
        Some(Edited::Settings(settings))
    };
    stores[1].edit_product(&p(), &mut { pacing }).await.unwrap();
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    let bench = bench.reopened().await;
    let product = bench.store.product(&p()).unwrap();
    assert_eq!(product.model.as_ref().unwrap().module_texts().count(), 24);
    assert_eq!(product.settings.pacing, Pacing::AfterAck);
    // Who does not want to change it changes nothing, not even its versions.
    let versions = numbers(&bench.store).await;
    bench.store.edit_product(&p(), &mut |_| None).await.unwrap();
    assert_eq!(numbers(&bench.store).await, versions);
    let nobody = bench.store.edit_product(&"q".try_into().unwrap(), &mut |_| panic!("there is none")).await;
    assert_eq!(nobody, Err(DirectoryError::NoProduct("q".try_into().unwrap())));
}
