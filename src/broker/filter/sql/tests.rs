#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::PathBuf;
use std::{env, fs, thread};

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::number::{NUMBER_BYTES_MAX, Number};
use super::*;

/// What Java answers; another folder to compare with, for which `generate.sh` there can write as many cases as one likes.
fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sql");
    let folder = env::var_os("FERROMQ_SQL_CASES").map_or_else(|| PathBuf::from(kept), PathBuf::from);
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

#[track_caller]
fn nothing_in(differences: Vec<String>) {
    assert!(differences.is_empty(), "{} answers differ:\n{}", differences.len(), differences.join("\n"));
}

/// `cases.json`: letters are `t`rue, `f`alse, `n`ull and `e`rror, in the order asked.
#[derive(Deserialize)]
struct Cases {
    asked: Vec<String>,
    written: Vec<(String, String)>,
    random: Vec<(String, String, Vec<String>)>,
}

/// Where our answers about some properties are not Java's.
fn difference(text: &str, java: &str, asked: &[String]) -> Option<String> {
    let letter = |filter: &SqlFilter, properties: &str| {
        let letter = match filter.evaluate(properties) {
            Ok(Some(true)) => 't',
            Ok(Some(false)) => 'f',
            Ok(None) => 'n',
            Err(Failed) => 'e',
        };
        assert_eq!(filter.passes(properties), letter == 't', "only what is true passes: {text}");
        letter
    };
    let ours = SqlFilter::parse(text).map_or_else(
        |_| "refused".to_owned(),
        |filter| asked.iter().map(|properties| letter(&filter, properties)).collect(),
    );
    (ours != java).then(|| format!("{text:?}: {java}, ours {ours} of {asked:?}"))
}

#[test]
fn answers_are_those_of_java() {
    let cases: Cases = fixture("cases.json");
    assert!(cases.written.len() > 400 && cases.random.len() > 400, "cases are missing");
    let written = cases.written.iter().filter_map(|(text, java)| difference(text, java, &cases.asked));
    let random = cases.random.iter().filter_map(|(text, java, asked)| difference(text, java, asked));
    nothing_in(written.chain(random).collect());
}

/// `numbers.json`: a text, and what `Integer`, `Long` and `Double` make of it, the last one as its bits.
#[test]
fn texts_are_the_numbers_that_java_reads() {
    type Case = (String, Option<String>, Option<String>, Option<String>);
    let cases: Vec<Case> = fixture("numbers.json");
    assert!(cases.len() > 400, "cases are missing");
    let mut differences = Vec::new();
    for (text, int, long, double) in cases {
        let like = |number: Number| match number.like(&text) {
            Some(Number::Int(value)) => Some(value.to_string()),
            Some(Number::Long(value)) => Some(value.to_string()),
            Some(Number::Double(value)) => Some(format!("{:016x}", value.to_bits())),
            None => None,
        };
        // NaN has no sign in Java.
        let bits = like(Number::Double(0.0)).map(|bits| bits.replace("fff8", "7ff8"));
        let ours = (like(Number::Int(0)), like(Number::Long(0)), bits);
        if ours != (int.clone(), long.clone(), double.clone()) {
            differences.push(format!("{text:?}: {:?}, ours {ours:?}", (int, long, double)));
        }
    }
    nothing_in(differences);
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(SqlFilter::parse(text).unwrap_err().to_string(), expected, "{text:?}");
}

#[test]
fn errors_say_what_was_expected_and_where() {
    refused("", "column 1: expected a property, a constant or `(`, found the end");
    refused("a = ", "column 5: expected a property, a constant or `(`, found the end");
    refused("a ==1", "column 4: expected a property, a constant or `(`, found `=1`");
    refused("ä = 1", "column 1: expected a word of a condition, found `ä`");
    refused("b = 'ä' !c", "column 9: expected a word of a condition, found `!c`");
    refused("b = 'x", "column 5: expected a ' that ends the text, found `'x`");
    refused("b = .x", "column 5: expected a digit behind the point, found `.x`");
    refused("(a = 5", "column 7: expected an operator or `)`, found the end");
    refused("a IS 5", "column 6: expected NULL or NOT NULL, found `5`");
    refused("a IS NOT 5", "column 10: expected NULL, found `5`");
    refused("a NOT LIKE 'x'", "column 7: expected IN or BETWEEN, found `LIKE`");
    refused("a IN 'x'", "column 6: expected `(`, found `'x'`");
    refused("a IN (5)", "column 7: expected a text in single quotes, found `5)`");
    refused("a IN ('x' 'y')", "column 11: expected `,` or `)`, found `'y')`");
    refused("a BETWEEN 1 OR 2", "column 13: expected AND, found `OR`");
    refused("a = 1\n  AND b = abcdefghijklmnopqrstuvwxyz IN", "line 2, column 40: expected `(`, found the end");
    refused("= abcdefghijklmnopqrstuvwxyz", "column 1: expected a property, a constant or `(`, found `=`");
    refused("a NOT bcdefghijklmnopqrstuvwxyzab", "column 7: expected IN or BETWEEN, found `bcdefghijklmnopqrstuvwxy`");
}

#[test]
fn errors_say_what_means_nothing_and_where() {
    refused("a = 5 AND 7", "column 11: this is a value, not a condition");
    refused("-a OR b", "column 1: this is a value, not a condition");
    refused("NOT 'x'", "column 5: this is a value, not a condition");
    refused("a = NULL", "column 3: NULL cannot be compared: write IS NULL or IS NOT NULL");
    refused("TRUE <> 1", "column 6: TRUE and FALSE are neither number nor text");
    refused("a > 'x'", "column 3: `<`, `<=`, `>`, `>=` and BETWEEN compare numbers and properties only");
    refused("'x' IN ('x')", "column 5: only a property can be IN texts");
    refused("a BETWEEN 9 AND 1", "column 3: the first bound of BETWEEN is above the second");
    refused("a = 9223372036854775808", "column 5: larger than 9223372036854775807");
    refused("a = 0.0", "column 5: zero with a point, or beyond what a double can hold");
}

#[test]
fn of_equal_names_the_last_value_counts_and_clones_share() {
    let filter = SqlFilter::parse("a = 'new' AND zz IS NULL").unwrap();
    let shared = filter.clone();
    assert!(Arc::ptr_eq(&filter.compiled, &shared.compiled));
    assert!(shared.passes("a\u{1}old\u{2}b\u{1}x\u{2}a\u{1}new"));
    assert!(!shared.passes("a\u{1}new\u{2}b\u{1}x\u{2}a\u{1}old"));
}

/// On less stack than any thread of the broker has; the limits are what keeps it from running over.
fn on_a_small_stack(test: fn()) {
    const STACK_BYTES: usize = 1024 * 1024;
    thread::Builder::new().stack_size(STACK_BYTES).spawn(test).unwrap().join().unwrap();
}

/// Parentheses, each around everything that one level of nesting can put between itself and the next.
fn nested(levels: usize) -> String {
    let open = "FALSE OR TRUE AND NOT TRUE = (";
    format!("{}a = '1'{}", open.repeat(levels), ")".repeat(levels))
}

#[test]
fn the_deepest_condition_is_evaluated_on_a_small_stack() {
    on_a_small_stack(|| {
        let deepest = SqlFilter::parse(&nested(DEPTH_MAX)).unwrap();
        assert!(deepest.evaluate("a\u{1}1").is_ok());
        let signs = format!("a = {}5", "-".repeat(DEPTH_MAX));
        assert!(SqlFilter::parse(&signs).unwrap().passes("a\u{1}5"));
    });
}

#[test]
fn conditions_that_are_too_deep_are_refused() {
    on_a_small_stack(|| {
        refused(
            &format!("{}TRUE", "(".repeat(DEPTH_MAX + 1)),
            "column 129: more than 128 parentheses, signs and NOTs within each other",
        );
        assert!(SqlFilter::parse(&nested(DEPTH_MAX + 1)).is_err());
        for opening in ["(", "-", "+", "NOT ", "-(", "a = (", "a AND NOT (", "a BETWEEN -(", "(a, "] {
            let bomb = opening.repeat(TEXT_BYTES_MAX / opening.len());
            let error = SqlFilter::parse(&bomb).unwrap_err();
            assert!(matches!(error, SqlError::TooDeep { .. } | SqlError::Syntax { .. }), "{opening}: {error}");
        }
    });
}

#[test]
fn conditions_that_are_too_long_or_have_too_many_parts_are_refused() {
    refused(&" ".repeat(TEXT_BYTES_MAX + 1), "16385 bytes, which is more than 16384");
    assert!(SqlFilter::parse(&format!("{}TRUE", " ".repeat(TEXT_BYTES_MAX - 4))).is_ok());
    for (first, next, nodes_each) in [("a=1", " OR a=1", 4), ("a", "=a", 2), ("a", " IS NULL", 1), ("a", " AND a", 2)] {
        let nodes = if first == "a" { 1 } else { 3 };
        let fitting = (NODES_MAX - nodes) / nodes_each;
        let text = format!("{first}{}", next.repeat(fitting));
        if text.len() <= TEXT_BYTES_MAX {
            assert!(SqlFilter::parse(&text).is_ok(), "{next}");
        }
        let error = SqlFilter::parse(&format!("{text}{next}")).unwrap_err();
        assert!(matches!(error, SqlError::TooMany { .. } | SqlError::TooLong { .. }), "{next}: {error}");
    }
    let error = SqlFilter::parse(&format!("a{}", "=a".repeat(NODES_MAX))).unwrap_err();
    assert_eq!(error.to_string(), "column 2049: more than 2048 properties, constants and operators");
}

#[test]
fn a_long_row_of_texts_is_one_part() {
    let texts: Vec<String> = (0..2000).map(|number| format!("'{number}'")).collect();
    let filter = SqlFilter::parse(&format!("a IN ({})", texts.join(","))).unwrap();
    assert!(filter.passes("a\u{1}1999") && !filter.passes("a\u{1}2000"));
}

#[test]
fn what_is_longer_than_a_number_can_be_is_none() {
    let of_length = |length: usize| format!("{}5", "0".repeat(length - 1));
    for number in [Number::Int(5), Number::Long(5), Number::Double(5.0)] {
        assert_eq!(number.like(&of_length(NUMBER_BYTES_MAX)), Some(number));
        assert_eq!(number.like(&of_length(NUMBER_BYTES_MAX + 1)), None);
    }
}

/// In the reference each of these doubles the time.
#[test]
fn a_between_within_a_between_costs_no_more_than_it_is_long() {
    let levels = DEPTH_MAX / 2;
    let text = format!("{}a{} BETWEEN 1 AND 2", "-(".repeat(levels), " BETWEEN 1 AND 2)".repeat(levels));
    assert_eq!(SqlFilter::parse(&text).unwrap().evaluate("a\u{1}1"), Ok(None));
}

fn any_words() -> impl Strategy<Value = String> {
    let words = [
        "a",
        "b",
        "5",
        "1.5",
        "0L",
        "'x'",
        "'1'",
        "TRUE",
        "NULL",
        "=",
        "<>",
        "<",
        ">=",
        "(",
        ")",
        ",",
        "+",
        "-",
        "AND",
        "OR",
        "NOT",
        "IN",
        "BETWEEN",
        "IS",
        "--",
        "\n",
        "/*",
        "*/",
        "'",
        "ö",
        "e1",
        ".",
        "IN ('x')",
        "BETWEEN 1 AND 2",
        " ",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_a_condition_or_an_error(text in any::<String>(), properties in any::<String>()) {
        if let Ok(filter) = SqlFilter::parse(&text) {
            let _ = filter.passes(&properties);
        }
    }

    #[test]
    fn any_words_are_a_condition_or_an_error(text in any_words(), value in "[ -~]{1,8}|[0-9.xpeE+-]{1,12}") {
        match SqlFilter::parse(&text) {
            Ok(filter) => {
                let _ = filter.passes(&format!("a\u{1}{value}\u{2}b\u{1}5"));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_text_is_a_number_or_none(text in "\\PC{0,40}|[ +-]?(0x)?[0-9a-fA-F.]{0,40}[pPeE]?[+-]?[0-9]{0,12}[fdFD]?") {
        for kind in [Number::Int(0), Number::Long(0), Number::Double(0.0)] {
            let _ = kind.like(&text);
        }
    }
}
