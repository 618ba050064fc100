//! A group without an offset is no failure, and a failure is not taken for a group without one: it would begin anew.

use std::sync::Arc;

use ferromq::client::membership::Membership;
use ferromq::client::{ClientError, Connections, Queue};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::ExtFields;
use ferromq::protocol::names::{GroupName, Topic};
use ferromq::protocol::units::{QueueId, QueueOffset};

use crate::fake_broker::{FakeBroker, reply};

async fn offset_by(code: i32, offset: Option<&'static str>) -> Result<Option<QueueOffset>, ClientError> {
    let broker = FakeBroker::start(move |command, _| {
        assert_eq!(command.code, request::QUERY_CONSUMER_OFFSET);
        let mut ext = ExtFields::builder();
        ext.push_some("offset", offset);
        Some(vec![reply(command, code).with_ext(ext.build())])
    })
    .await;
    let member = Membership::new(Connections::default(), "a", GroupName::parse("CG").unwrap());
    let queue = Queue { broker_name: "b".into(), address: Arc::from(broker.address.as_str()), id: QueueId(0) };
    member.offset(&Topic::parse("T").unwrap(), &queue).await
}

#[tokio::test]
async fn as_the_broker_says() {
    assert_eq!(offset_by(response::SUCCESS, Some("7")).await.unwrap(), Some(QueueOffset(7)));
    assert_eq!(offset_by(response::SUCCESS, Some("-1")).await.unwrap(), None);
    assert_eq!(offset_by(response::QUERY_NOT_FOUND, None).await.unwrap(), None);
    let refused = offset_by(response::SYSTEM_ERROR, None).await;
    assert_eq!(refused.as_ref().err().and_then(ClientError::refusal), Some(response::SYSTEM_ERROR), "{refused:?}");
    for nonsense in [None, Some("seven")] {
        let unreadable = offset_by(response::SUCCESS, nonsense).await;
        assert!(matches!(unreadable, Err(ClientError::Protocol { .. })), "{unreadable:?}");
    }
}
