use super::load::{Problem, read_for_test as read};

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<Problem> {
    read(text, variables).map(|_| ()).expect_err("the text is wrong").0
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = read("", &[]).expect("defaults");
    assert_eq!(config.metrics.listen.to_string(), "127.0.0.1:9464");
}

#[test]
fn a_variable_wins_over_the_file() {
    let config = read("[log]\nlevel = \"warn\"", &[("THINGCALL__LOG__LEVEL", "debug")]).expect("valid");
    assert_eq!(config.log.level, "debug");
}

#[test]
fn a_typo_names_the_key_its_line_and_what_is_allowed() {
    let found = problems("\n[log]\nlevle = \"warn\"\n", &[]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].place.as_str(), found[0].key.as_str()), ("t.toml:3", "log.levle"));
    assert!(found[0].what.contains("level") && found[0].what.contains("format"), "{}", found[0].what);
}

#[test]
fn a_typo_in_a_variable_names_the_variable() {
    let found = problems("", &[("THINGCALL__LOG__LEVLE", "warn")]);
    assert_eq!(found[0].place, "environment variable THINGCALL__LOG__LEVLE");
    assert!(found[0].what.contains("level"), "{}", found[0].what);
}

#[test]
fn every_problem_is_found_in_one_go() {
    let found = problems("[metrics]\nlisten = 7\n[log]\nlevle = 1\n[shutdown]\ndrain = \"soon\"\n[nowhere]\n", &[]);
    let keys: Vec<_> = found.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["metrics.listen", "log.levle", "shutdown.drain", "nowhere"]);
}

#[test]
fn broken_toml_names_the_line() {
    let found = problems("[log]\nlevel = \n", &[]);
    assert!(found[0].place == "t.toml" && found[0].what.contains("line 2"), "{found:?}");
}
