//! A broker registers with all its name servers, each for itself: one that is gone or deaf is nothing to the others.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::namesrv::Namesrv;
use ferromq::actors::options::{BrokerOptions, NamesrvOptions};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::Command;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::member::{body, succeeds};
use crate::raw::{LIMIT, Raw, ask_for, send_to};
use crate::support::{Cluster, free_port, small};

async fn name_server(listen: SocketAddr, directory: &Path) -> Namesrv {
    let options = NamesrvOptions { listen, ..NamesrvOptions::at(directory) };
    Namesrv::builder(options).start().await.unwrap()
}

async fn broker_of(directory: &TempDir, name_servers: &[SocketAddr]) -> Broker {
    let name_servers = name_servers.iter().map(SocketAddr::to_string).collect();
    let often = Duration::from_millis(20);
    let options = BrokerOptions { name_servers, register_every: often, register_limit: 10 * often, ..small(directory) };
    Broker::builder(options).start().await.unwrap()
}

fn route_of(topic: &str) -> Command {
    ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &topic)])
}

/// The name server leads to this broker and no other.
async fn knows(name_server: &Namesrv, broker: &Broker, topic: &str) {
    let mut client = Raw::connect(name_server.address()).await;
    let route = body(&client.ask_until(route_of(topic), |reply| reply.code == response::SUCCESS).await);
    let expected = json!([{"brokerAddrs": {"0": broker.address().to_string()}, "brokerName": "broker-a",
        "cluster": "DefaultCluster"}]);
    assert_eq!(route["brokerDatas"], expected);
}

async fn knows_nobody(name_server: &Namesrv) {
    let mut client = Raw::connect(name_server.address()).await;
    let clusters = succeeds(&mut client, ask_for(request::GET_BROKER_CLUSTER_INFO, &[])).await;
    assert_eq!(body(&clusters)["brokerAddrTable"], json!({}));
}

#[actix::test]
async fn both_know_it_from_its_start_to_its_stop() {
    let directory = tempfile::tempdir().unwrap();
    let first = name_server(free_port(), &directory.path().join("first")).await;
    let second = name_server(free_port(), &directory.path().join("second")).await;
    let broker = broker_of(&directory, &[first.address(), second.address()]).await;
    for name_server in [&first, &second] {
        // At once: who is told of the broker from now on finds it.
        let mut client = Raw::connect(name_server.address()).await;
        succeeds(&mut client, route_of("TBW102")).await;
        knows(name_server, &broker, "TBW102").await;
    }
    let sent = Raw::connect(broker.address()).await.ask(send_to("Made", 0, "", "x")).await;
    assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
    knows(&first, &broker, "Made").await;
    knows(&second, &broker, "Made").await;
    broker.stop().await.unwrap();
    knows_nobody(&first).await;
    knows_nobody(&second).await;
    first.stop().await;
    second.stop().await;
}

#[actix::test]
async fn with_one_dead_the_other_leads_to_it_and_the_dead_one_after_its_return() {
    let directory = tempfile::tempdir().unwrap();
    let dead = name_server(free_port(), &directory.path().join("dead")).await;
    let living = name_server(free_port(), &directory.path().join("living")).await;
    let address = dead.address();
    dead.stop().await;
    let broker = broker_of(&directory, &[address, living.address()]).await;
    knows(&living, &broker, "TBW102").await;
    let returned = name_server(address, &directory.path().join("dead")).await;
    knows(&returned, &broker, "TBW102").await;
    // Now the one dies that was there all the time.
    living.stop().await;
    let sent = Raw::connect(broker.address()).await.ask(send_to("Made", 0, "", "x")).await;
    assert_eq!(sent.code, response::SUCCESS, "{sent:?}");
    knows(&returned, &broker, "Made").await;
    broker.stop().await.unwrap();
    knows_nobody(&returned).await;
    returned.stop().await;
}

#[actix::test]
async fn one_that_takes_connections_and_says_nothing_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let deaf = TcpListener::bind(free_port()).unwrap();
    let hearing = name_server(free_port(), &directory.path().join("hearing")).await;
    let both = [deaf.local_addr().unwrap(), hearing.address()];
    let broker = timeout(LIMIT, broker_of(&directory, &both)).await.expect("it starts without the deaf one");
    knows(&hearing, &broker, "TBW102").await;
    timeout(LIMIT, broker.stop()).await.expect("it stops without the deaf one").unwrap();
    knows_nobody(&hearing).await;
    hearing.stop().await;
}

/// The permissions of some topics, as clients are told them.
async fn permissions(cluster: &Cluster, topics: &[&str]) -> Vec<Value> {
    let mut client = Raw::connect(cluster.namesrv.address()).await;
    let mut permissions = Vec::new();
    for topic in topics {
        let route = body(&client.ask_until(route_of(topic), |reply| reply.code == response::SUCCESS).await);
        permissions.push(route["queueDatas"][0]["perm"].clone());
    }
    permissions
}

#[actix::test]
async fn a_broker_that_may_not_be_written_to_registers_what_may_be_read() {
    for compressed_register in [false, true] {
        for (readable, writable, all) in [(true, false, Some(4)), (false, true, Some(2)), (true, true, None)] {
            let cluster =
                Cluster::start_with(|options| BrokerOptions { readable, writable, compressed_register, ..options })
                    .await;
            let mut tool = Raw::connect(cluster.broker.address()).await;
            let fields: [(&str, &dyn std::fmt::Display); 5] =
                [("topic", &"T"), ("readQueueNums", &4), ("writeQueueNums", &4), ("perm", &6), ("order", &false)];
            succeeds(&mut tool, ask_for(request::UPDATE_AND_CREATE_TOPIC, &fields)).await;
            let registered = permissions(&cluster, &["T", "TBW102", "BenchmarkTest"]).await;
            let expected = all.map_or([6, 7, 6], |all| [all; 3]);
            assert_eq!(registered, expected, "readable {readable}, writable {writable}, {compressed_register}");
            // The topics themselves are as they were.
            let topics = body(&succeeds(&mut tool, ask_for(request::GET_ALL_TOPIC_CONFIG, &[])).await);
            assert_eq!(topics["topicConfigTable"]["T"]["perm"], 6);
            cluster.stop().await;
        }
    }
}

/// Which topics are ordered stands in a table of the name servers.
#[actix::test]
async fn topics_are_ordered_as_the_name_server_says() {
    let directory = tempfile::tempdir().unwrap();
    let ordered = json!({"configTable": {"ORDER_TOPIC_CONFIG": {"BenchmarkTest": "broker-a:4"}}});
    let root = directory.path().join("namesrv");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("kvConfig.json"), ordered.to_string()).unwrap();
    let namesrv = name_server(free_port(), &root).await;
    let broker = broker_of(&directory, &[namesrv.address()]).await;
    let mut tool = Raw::connect(broker.address()).await;
    let is_ordered = |reply: &Command| body(reply)["topicConfigTable"]["BenchmarkTest"]["order"] == true;
    let topics = tool.ask_until(ask_for(request::GET_ALL_TOPIC_CONFIG, &[]), is_ordered).await;
    assert_eq!(body(&topics)["topicConfigTable"]["TBW102"]["order"], false);
    broker.stop().await.unwrap();
    namesrv.stop().await;
}
