//! A broker that starts again knows no locks: whoever locks first goes on alone, where the group had come to, in order.

use std::fmt::Display;

use ferromq::protocol::codes::{request, response};
use serde_json::{Value, json};

use crate::binary::Ferromq;
use crate::messages::{bodies, lies_at, wait_for};
use crate::raw::{Raw, ask_for, send_to};

const SERVE: &str = "standalone --port 0 --namesrv-port 0 --log-level error -c small.conf --data data";

async fn locks(client: &mut Raw, id: &str) -> usize {
    let queue = json!({"brokerName": "broker-a", "queueId": 0, "topic": "T"});
    let body = json!({"clientId": id, "consumerGroup": "G", "mqSet": [queue]}).to_string();
    let reply = client.ask(ask_for(request::LOCK_BATCH_MQ, &[]).with_body(body.into())).await;
    assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    body["lockOKMQSet"].as_array().unwrap().len()
}

async fn commit(client: &mut Raw, offset: i64) {
    let fields: [(&str, &dyn Display); 4] =
        [("consumerGroup", &"G"), ("topic", &"T"), ("queueId", &0), ("commitOffset", &offset)];
    assert_eq!(client.ask(ask_for(request::UPDATE_CONSUMER_OFFSET, &fields)).await.code, response::SUCCESS);
}

async fn committed(client: &mut Raw) -> i64 {
    let fields: [(&str, &dyn Display); 3] = [("consumerGroup", &"G"), ("topic", &"T"), ("queueId", &0)];
    let reply = client.ask(ask_for(request::QUERY_CONSUMER_OFFSET, &fields)).await;
    reply.ext.int64("offset").unwrap_or(0)
}

/// After a stop the group goes on exactly where it was, after a kill perhaps a little before that.
#[actix::test]
async fn one_client_goes_on_in_order_after_a_stop_and_after_a_kill() {
    let ferromq = Ferromq::new().with_small_store("");
    let mut sent: Vec<String> = Vec::new();
    let mut serving = ferromq.serve(SERVE);
    for round in 0..4 {
        let mut one = Raw::connect(serving.broker()).await;
        let mut two = Raw::connect(serving.broker()).await;
        assert_eq!((locks(&mut one, "one").await, locks(&mut two, "two").await), (1, 0), "round {round}");
        let from = committed(&mut one).await;
        let left = bodies(&wait_for_all(&mut one, from, sent.len()).await);
        assert_eq!(left, sent[from as usize..], "round {round}");
        for number in 0..10 {
            let body = format!("{round}.{number}");
            lies_at(&one.ask(send_to("T", 0, "", body.clone())).await);
            sent.push(body);
        }
        let all = bodies(&wait_for_all(&mut one, 0, sent.len()).await);
        assert_eq!(all, sent, "round {round}");
        commit(&mut one, sent.len() as i64 - 5).await;
        if round % 2 == 0 {
            assert_eq!(serving.terminate().code, 0);
            serving = ferromq.serve(SERVE);
            let mut client = Raw::connect(serving.broker()).await;
            assert_eq!(committed(&mut client).await, sent.len() as i64 - 5);
        } else {
            drop(serving);
            serving = ferromq.serve(SERVE);
        }
    }
    serving.terminate();
}

/// All messages of the queue from an offset on.
async fn wait_for_all(client: &mut Raw, from: i64, end: usize) -> Vec<ferromq::protocol::message::Message> {
    match end as i64 - from {
        0 => Vec::new(),
        count => wait_for(client, "T", 0, from, count as usize).await,
    }
}
