use afterbeep::config::Config;

mod schema;

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

#[test]
fn who_logs_in_where_is_set_by_name_and_never_with_the_password_itself() {
    let text = "[sip]\nsession = \"10m\"\nearly_media = true\n\
        [[sip.accounts]]\nuser = \"branch\"\npassword_file = \"branch.password\"\n\
        [[sip.register]]\nserver = \"sip:pbx.example\"\nuser = \"vm\"\npassword_file = \"p\"\n";
    let config = Config::parse(text).unwrap();
    assert_eq!(config.sip.register[0].expires, std::time::Duration::from_secs(600));
    let shown = toml::to_string_pretty(&config).unwrap();
    assert!(Config::parse(&shown).is_ok(), "{shown}");
    for (wrong, named) in [
        ("[sip]\nsession = \"89s\"\n", "session"),
        ("[[sip.accounts]]\nuser = \"a\"\npassword = \"p\"\n", "password"),
        (&text.replace("branch\"\n", "b@x\"\n"), "b@x"),
        (
            &(text.to_owned() + "[[sip.accounts]]\nuser = \"branch\"\npassword_file = \"q\"\n"),
            "two",
        ),
        (&text.replace("sip:pbx.example", "pbx.example"), "pbx.example"),
    ] {
        let error = Config::parse(wrong).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}
