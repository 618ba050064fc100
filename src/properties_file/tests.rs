#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;

use super::server_keys::{CLIENT_KEYS, SERVER_KEYS};
use super::*;

fn settings() -> Settings {
    Settings::new(&[SERVER_KEYS, CLIENT_KEYS])
}

fn check_error(text: &str, expected: &str) {
    assert_eq!(settings().read("a.conf", text.as_bytes()).unwrap_err().to_string(), expected);
}

#[test]
fn a_bad_value_names_file_line_key_and_what_was_expected() {
    check_error(
        "# port\n\nlistenPort=high",
        "a.conf:3: listenPort: expected a whole number from 0 to 65533, found \"high\"",
    );
    check_error("listenPort=-1", "a.conf:1: listenPort: expected a whole number from 0 to 65533, found \"-1\"");
    check_error(
        "useEpollNativeSelector = yes",
        "a.conf:1: useEpollNativeSelector: expected true or false, found \"yes\"",
    );
}

#[test]
fn the_line_of_a_continued_entry_is_its_first() {
    check_error(
        "listenPort=\\\n  12x\n",
        "a.conf:1: listenPort: expected a whole number from 0 to 65533, found \"12x\"",
    );
}

#[test]
fn a_text_that_is_no_properties_file_names_the_line() {
    let error = settings().read("a.conf", b"listenPort=1\nx=\\u00zz\n").unwrap_err();
    assert!(matches!(error, SettingsError::Syntax { line: 2, .. }), "{error}");
}

#[test]
fn half_a_character_is_none() {
    for text in
        [r"name=\ud83d", r"name=\ud83dx\udc1e", r"name=\udc1e\ud83d", r"name=\ud83d\\udc1e", r"name=\ud83d\udc1"]
    {
        let error = entries("a.conf", text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("a.conf:1: not a properties file: "), "{text}: {error}");
    }
}

#[test]
fn a_feature_that_must_not_be_missed_is_refused_unless_it_is_off() {
    check_error(
        "useTLS=true",
        "a.conf:1: useTLS=true is not supported by this version: connections would be in clear text",
    );
    assert_eq!(settings().read("a.conf", b"useTLS=false").unwrap(), []);
}

#[test]
fn unknown_keys_are_noticed_with_the_nearest_known_one() {
    let notices = settings().read("a.conf", b"listenport=1\nflavour=sweet\nserverWorkerThread=3\n").unwrap();
    let texts: Vec<String> = notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "a.conf:1: unknown key \"listenport\", did you mean \"listenPort\"?",
            "a.conf:2: unknown key \"flavour\"",
            "a.conf:3: unknown key \"serverWorkerThread\", did you mean \"serverWorkerThreads\"?",
        ]
    );
}

#[test]
fn keys_without_effect_are_named_once_and_together() {
    let text = b"serverWorkerThreads=9\nclientWorkerThreads=2\nserverWorkerThreads=10\n";
    let notices = settings().read("a.conf", text).unwrap();
    assert_eq!(notices, [Notice::NoEffect { keys: vec!["serverWorkerThreads", "clientWorkerThreads"] }]);
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default_in_any_order() {
    let mut settings = settings();
    settings.set(Origin::Flag, "--port", "listenPort", "1").unwrap();
    settings.read("a.conf", b"listenPort=2\nconnectTimeoutMillis=5 \n").unwrap();
    settings.set(Origin::Default, "machine", "listenPort", "3").unwrap();
    settings.set(Origin::Default, "machine", "connectTimeoutMillis", "3").unwrap();
    assert_eq!(settings.number::<u16>("listenPort"), 1);
    assert_eq!(settings.millis("connectTimeoutMillis").as_millis(), 5);
}

#[test]
fn an_update_takes_what_it_can_and_names_what_it_refuses() {
    let before = settings();
    let text = b"serverWorkerThreads=9\nlistenPort=1\nlistenPort=8888\nuseTLS=true\nnobody=1\nclientWorkerThreads=x\n";
    let update = before.update(text).unwrap();
    assert_eq!(update.changed, ["serverWorkerThreads"]);
    assert_eq!(update.settings.number::<i32>("serverWorkerThreads"), 9);
    assert_eq!(update.settings.number::<i32>("listenPort"), 8888);
    let refused: Vec<String> = update.refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        [
            "listenPort is read at the start only: change it in the file and restart",
            "update:4: useTLS=true is not supported by this version: connections would be in clear text",
            "update:5: unknown key \"nobody\"",
            "update:6: clientWorkerThreads: expected a whole number from 0 to 2147483647, found \"x\"",
        ]
    );
}

#[test]
fn what_is_rendered_reads_back_the_same() {
    let mut changed = settings();
    changed.set(Origin::File, "test", "serverWorkerThreads", "17").unwrap();
    let mut again = settings();
    again.read("rendered", changed.render().as_bytes()).unwrap();
    assert_eq!(again.render(), changed.render());
    assert!(again.render().contains("\nserverWorkerThreads=17\n"));
}

#[test]
fn characters_beyond_ascii_and_line_breaks_read_back_as_they_were() {
    static KEYS: &[Key] = &[Key::text("name", ""), Key::text("other", "")];
    for (text, expected) in [
        ("name=t\u{e4}g\u{df}".as_bytes(), "t\u{e4}g\u{df}"),
        ("name=\u{1f600} \u{feff}".as_bytes(), "\u{1f600} \u{feff}"),
        ("\u{feff}name=x".as_bytes(), "x"),
        (b"name=t\xe4g".as_slice(), "t\u{e4}g"),
        (br"name=\uD83D\uDC1E\u00e9\\ud83d".as_slice(), "\u{1f41e}\u{e9}\\ud83d"),
        (b"name=a\\nother=/etc\\\\x".as_slice(), "a\nother=/etc\\x"),
    ] {
        let mut settings = Settings::new(&[KEYS]);
        settings.read("a.conf", text).unwrap();
        assert_eq!((settings.text("name"), settings.optional_text("other")), (expected, None));
        let mut again = Settings::new(&[KEYS]);
        again.read("rendered", settings.render().as_bytes()).unwrap();
        assert_eq!(again.text("name"), expected);
    }
}

/// Lines of keys that are known and of some that are not, with values of every kind, between any bytes.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let key =
        prop::sample::select(&["listenPort", "useTLS", "serverWorkerThreads", "connectTimeoutMillis", "nobody"][..]);
    let value =
        prop_oneof!["[0-9]{1,20}", "-?[0-9]{1,3}", "true|false", "[ \\\\u0-9a-f:=#!\r\t]{0,12}", any::<String>()];
    let line = prop_oneof![
        3 => (key, "[=: \t]{1,2}", value).prop_map(|(key, between, value)| format!("{key}{between}{value}\n").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
}

#[test]
fn what_looks_like_half_a_byte_order_mark_is_text() {
    for text in [&b"\xef"[..], b"\xef\xbb", b"\xff", b"\xff\xfe", b"\xfe\xff\x00", b"name=\xff\xfe", b"\xff\xfea"] {
        settings().read("a.conf", text).unwrap();
    }
}

proptest! {
    #[test]
    fn any_bytes_are_settings_or_an_error_that_names_the_file(text in text()) {
        let mut read = settings();
        match read.read("a.conf", &text) {
            Ok(_) => {
                let mut again = settings();
                again.read("rendered", read.render().as_bytes()).unwrap();
                prop_assert_eq!(again.render(), read.render());
            }
            Err(error) => prop_assert!(error.to_string().starts_with("a.conf:"), "{error}"),
        }
        let _ = settings().update(&text).map(|update| update.refused.len());
    }

    #[test]
    fn any_text_reads_back_as_it_was_rendered(value in any::<String>()) {
        static KEYS: &[Key] = &[Key::text("name", "")];
        let mut written = Settings::new(&[KEYS]);
        written.set(Origin::File, "test", "name", &value).unwrap();
        let mut read = Settings::new(&[KEYS]);
        read.read("rendered", written.render().as_bytes()).unwrap();
        prop_assert_eq!(read.text("name"), written.text("name").trim());
    }
}
