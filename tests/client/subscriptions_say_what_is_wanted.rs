//! A subscription is told to brokers as a Java client tells it.

use ferromq::client::subscription::{SubscriptionError, Wanted, wants};
use ferromq::protocol::body::Body;
use ferromq::protocol::body::subscription::SubscriptionData;
use ferromq::protocol::message::Message;
use ferromq::protocol::names::Topic;

fn subscription(wanted: &Wanted) -> Result<SubscriptionData, SubscriptionError> {
    wanted.subscription(&Topic::parse("TopicTest").unwrap(), 1_700_000_000_000)
}

fn by_tags(expression: &str) -> SubscriptionData {
    subscription(&Wanted::Tags(expression.into())).unwrap()
}

/// A message that Java wrote, with other properties.
fn message(properties: &str) -> Message {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../fixtures/msg_v4.json")).unwrap();
    let hex = fixture["hex"].as_str().unwrap();
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let (message, _) = ferromq::protocol::message::decode(&bytes.into()).unwrap();
    Message { properties: properties.into(), ..message }
}

#[test]
fn by_tags_as_the_reference_does() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/body/body_subscription_tag.json")).unwrap();
    let told = by_tags("TagA || TagB");
    assert_eq!(told.encode(), fixture["text"].as_str().unwrap());
    assert_eq!(by_tags("||TagB||  TagA ||").tags_set, told.tags_set);
    for all in ["", "*"] {
        assert_eq!(by_tags(all), subscription(&Wanted::All).unwrap());
    }
    assert!(by_tags("*").takes_all());
}

#[test]
fn by_a_condition() {
    let told = subscription(&Wanted::Condition("a > 5".into())).unwrap();
    assert_eq!((told.expression_type.as_str(), told.sub_string.as_str()), ("SQL92", "a > 5"));
    assert!(told.tags_set.is_empty() && told.code_set.is_empty());
}

#[test]
fn what_says_nothing_is_refused() {
    for nothing in ["||", " ", " || || "] {
        assert_eq!(subscription(&Wanted::Tags(nothing.into())), Err(SubscriptionError::NoTag(nothing.into())));
    }
    assert_eq!(subscription(&Wanted::Condition(" ".into())), Err(SubscriptionError::BlankCondition));
}

/// "Aa" and "BB" have one hash, by which a broker lets both pass.
#[test]
fn a_tag_of_the_same_hash_is_not_wanted() {
    let (tagged, other, without) = (message("TAGS\u{1}Aa"), message("TAGS\u{1}BB"), message("KEYS\u{1}Aa"));
    let by_tag = by_tags("Aa");
    assert!(wants(&by_tag, &tagged) && !wants(&by_tag, &other) && !wants(&by_tag, &without));
    for all in [by_tags("*"), subscription(&Wanted::Condition("a > 5".into())).unwrap()] {
        assert!(wants(&all, &without));
    }
}
