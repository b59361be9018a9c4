//! What is read of the text.

use super::Figures;

const TEXT: &str = r#"# HELP calls Calls
# TYPE calls counter
calls{mode="sync",outcome="ok"} 3
calls{mode="async",outcome="ok"} 4
calls{mode="async",outcome="timeout"} 1.5
seconds_bucket{le="+Inf"} 2
odd{text="a\"b\\c\nd,e=\"f}"} 1
plain 7
rubbish
"#;

#[test]
fn series_are_summed_by_name_and_by_label() {
    let figures = Figures::read(TEXT);
    assert_eq!(figures.sum("calls"), Some(8.5));
    assert_eq!(figures.sum("plain"), Some(7.0));
    assert_eq!(figures.sum("nothing"), None);
    let by = figures.by("calls", "outcome");
    assert_eq!(by.into_iter().collect::<Vec<_>>(), [("ok".to_owned(), 7.0), ("timeout".to_owned(), 1.5)]);
    assert_eq!(figures.names().collect::<Vec<_>>(), ["calls", "seconds_bucket", "odd", "plain"]);
}

#[test]
fn a_label_may_hold_anything() {
    let figures = Figures::read(TEXT);
    let odd = figures.of("odd").next().unwrap();
    assert_eq!(odd.labels["text"], "a\"b\\c\nd,e=\"f}");
}

#[test]
fn a_share_of_calls_lies_between_two_edges_of_a_histogram_over_all_its_labels() {
    let text = "h_bucket{a=\"x\",le=\"0.005\"} 10\nh_bucket{a=\"x\",le=\"0.01\"} 10\nh_bucket{a=\"x\",le=\"+Inf\"} 10\n\
                h_bucket{a=\"y\",le=\"0.005\"} 0\nh_bucket{a=\"y\",le=\"0.01\"} 9\nh_bucket{a=\"y\",le=\"+Inf\"} 10\n";
    let buckets = Figures::read(text).buckets("h");
    assert_eq!(buckets.quantile(0.5), Some((0.0, 0.005)));
    assert_eq!(buckets.quantile(0.95), Some((0.005, 0.01)));
    assert_eq!(buckets.quantile(0.99), Some((0.01, f64::INFINITY)));
    assert_eq!(buckets.since(&buckets).quantile(0.5), None);
}
