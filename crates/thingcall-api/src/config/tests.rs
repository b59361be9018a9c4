//! Which values are refused.

use super::*;

#[test]
fn each_value_out_of_its_range_is_refused_by_its_key() {
    assert_eq!(Config::default().problems(), []);
    let key = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        let [problem] = &config.problems()[..] else { panic!("{:?}", config.problems()) };
        problem.key.clone()
    };
    assert_eq!(key(|c| c.instance_id = Some(String::new())), "instance_id");
    assert_eq!(key(|c| c.uri_bytes_max = 255), "uri_bytes_max");
    assert_eq!(key(|c| c.uri_bytes_max = 65_535), "uri_bytes_max");
    assert_eq!(key(|c| c.head_bytes_max = 8191), "head_bytes_max");
    assert_eq!(key(|c| c.clock_skew = Duration::ZERO), "clock_skew");
    assert_eq!(key(|c| c.write_timeout = Duration::ZERO), "write_timeout");
    assert_eq!(key(|c| c.unauthenticated_bytes_max = c.body_bytes_max.get() - 1), "unauthenticated_bytes_max");
    assert_eq!(key(|c| c.string_to_sign_bytes_max = 4095), "string_to_sign_bytes_max");
}
