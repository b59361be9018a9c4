//! Devices come page by page, each once, however many there are.

use super::*;

/// A server that has so many devices, and says in its own way whether there is a page behind one.
struct Pages {
    devices: u64,
    tells: Tells,
    asked: u32,
}

/// How a server says that there are more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    /// By a token on each page but the last, as ours does.
    Token,
    /// By a token on each page that is full, also where none is behind it.
    TokenOfFullPages,
    /// By how many there are.
    Total,
    /// Not at all.
    Nothing,
}

impl Pages {
    fn at(&self, number: u32) -> Page {
        let first = u64::from(number - 1) * PAGE_SIZE;
        let last = self.devices.min(first + PAGE_SIZE);
        let infos = (first..last).map(|device| Info { device_name: format!("d{device}") });
        let is_full = last.saturating_sub(first) == PAGE_SIZE;
        let has_token = match self.tells {
            Tells::Token => last < self.devices,
            Tells::TokenOfFullPages => is_full,
            Tells::Total | Tells::Nothing => false,
        };
        let total = (self.tells != Tells::Nothing).then_some(self.devices);
        let data = Some(Data { device_info: infos.collect() });
        // Ours says "" where there is none.
        let next_token = Some(if has_token { format!("behind {number}") } else { String::new() });
        Page { success: true, data, total, next_token, ..Page::default() }
    }
}

impl Pager for &mut Pages {
    async fn page(&mut self, number: u32, token: Option<String>) -> anyhow::Result<Page> {
        let token = token.filter(|token| !token.is_empty());
        let by_token = matches!(self.tells, Tells::Token | Tells::TokenOfFullPages);
        assert_eq!(token, by_token.then(|| format!("behind {}", number - 1)));
        self.asked += 1;
        Ok(self.at(number))
    }
}

async fn fed(mut pages: Pages) -> (Vec<String>, u32) {
    let (queue, mut devices) = mpsc::channel(1000);
    let first = pages.at(1);
    let product = "pk".parse().unwrap();
    feed_pages(&mut pages, &product, first, &queue).await.unwrap();
    drop(queue);
    let mut names = Vec::new();
    while let Some(device) = devices.recv().await {
        names.push(device.to_string());
    }
    (names, pages.asked)
}

#[tokio::test]
async fn each_device_comes_once_whatever_the_last_page_holds() {
    for tells in [Tells::Token, Tells::TokenOfFullPages, Tells::Total, Tells::Nothing] {
        for devices in [0, 1, 49, 50, 51, 99, 100, 101, 150, 500] {
            let (names, asked) = fed(Pages { devices, tells, asked: 0 }).await;
            let all: Vec<_> = (0..devices).map(|device| format!("pk/d{device}")).collect();
            assert_eq!(names, all, "{tells:?}");
            // One more page than there is tells nothing, and is no failure.
            let behind = u32::try_from(devices / PAGE_SIZE).unwrap() + 1;
            assert!(asked <= behind, "{tells:?}, {devices} devices: {asked} pages behind the first");
        }
    }
}

#[tokio::test]
async fn a_page_that_is_refused_is_told_and_who_takes_no_more_is_given_no_more() {
    struct Refuses;
    impl Pager for Refuses {
        async fn page(&mut self, _: u32, _: Option<String>) -> anyhow::Result<Page> {
            let (code, why) = (Some("iot.x".to_owned()), Some("not now".to_owned()));
            Ok(Page { code, error_message: why, ..Page::default() })
        }
    }
    let product = "pk".parse().unwrap();
    let first = || Pages { devices: 120, tells: Tells::Token, asked: 0 }.at(1);
    let (queue, devices) = mpsc::channel(1000);
    let refused = feed_pages(Refuses, &product, first(), &queue).await.unwrap_err().to_string();
    assert!(refused.contains("iot.x") && refused.contains("not now"), "{refused}");
    assert_eq!(devices.len(), 50);
    drop(devices);
    feed_pages(Refuses, &product, first(), &queue).await.unwrap();
}
