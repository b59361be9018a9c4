//! What cannot be written down is told, and written once it can be.

use crate::testsite::{Site, active, answered_by, answering, call, until};

#[tokio::test]
async fn record_that_cannot_be_written_is_told_and_tried_again() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", "[\"fb:*\"]", "1");
    // A folder in the place of the file it is written to first.
    let in_the_way = site.data.join("plugin-kept").join("a.json.new");
    std::fs::create_dir_all(&in_the_way).unwrap();
    let plugins = site.start().await;
    let told = || site.conditions.states().into_iter().find(|state| state.name == "plugin a record");

    let failure = told().expect("a condition").failure.expect("a reason");
    assert!(failure.contains("a.json") && failure.contains("tried again"), "{failure}");
    assert!(site.conditions.unmet().is_empty(), "its calls are served");
    assert_eq!(active(&plugins).len(), 1);
    // In this process its claims are known all the same.
    std::fs::remove_file(site.file("a.so")).unwrap();
    plugins.rescan().await;
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "nobody");

    std::fs::remove_dir(&in_the_way).unwrap();
    until("it is written", async || told().is_none()).await;
    plugins.shutdown().await;
    assert_eq!(answered_by(&*site.start().await, &call("pk", "fb:set")).await, "nobody");
}

#[tokio::test]
async fn what_is_forgotten_is_not_written_later() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", "[\"fb:*\"]", "1");
    let kept = site.data.join("plugin-kept");
    std::fs::create_dir_all(kept.join("a.json.new")).unwrap();
    let plugins = site.start().await;
    std::fs::remove_file(site.file("a.so")).unwrap();
    plugins.rescan().await;
    plugins.forget("a").await.unwrap();
    assert!(!plugins.keeper().waits().await);
    assert!(!kept.join("a.json").exists());
}
