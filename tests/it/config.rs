use afterbeep::config::Config;

#[test]
fn no_settings_are_settings_that_work() {
    let config = Config::parse("").unwrap();
    assert_eq!(config.deposit.silence.as_secs(), 8);
}

#[test]
fn a_contradiction_is_named() {
    let error = Config::parse("[deposit]\nshortest = '10m'").unwrap_err();
    assert_eq!(error.to_string(), "[deposit] shortest (600s) must be below longest (300s)");
}

#[test]
fn a_misspelt_setting_is_refused_with_the_nearest_name() {
    let error = Config::parse("# mine\n[deposit]\nlongst = '5m'").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 3: there is no setting \"longst\"; did you mean \"longest\"?"
    );
}

#[test]
fn a_misspelt_section_is_refused_with_the_nearest_name() {
    let error = Config::parse("[depost]\nreview = true").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1: there is no setting \"depost\"; did you mean \"deposit\"?"
    );
}

#[test]
fn what_config_show_prints_is_a_settings_file() {
    let printed = toml::to_string(&Config::parse("").unwrap()).unwrap();
    assert_eq!(toml::to_string(&Config::parse(&printed).unwrap()).unwrap(), printed);
}
