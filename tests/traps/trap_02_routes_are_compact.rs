//! Go splits the text of a route at `brokerAddrs` and counts on what follows directly.

use ferromq::protocol::codes::{request, response};

use crate::raw::{Raw, ask_for};
use crate::support::Cluster;

#[actix::test]
async fn a_route_is_compact_strict_json() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.namesrv.address()).await;
    for version in [0, 121, 317, 407] {
        let mut route = ask_for(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &"TBW102")]);
        route.version = version;
        let reply = client.ask(route).await;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
        let text = std::str::from_utf8(&reply.body).unwrap();
        let addresses = format!(r#""brokerAddrs":{{"0":"{}"}}"#, cluster.broker.address());
        assert!(text.contains(&addresses), "{text}");
        assert!(!text.contains([' ', '\n']), "{text}");
        serde_json::from_str::<serde_json::Value>(text).unwrap();
    }
    cluster.stop().await;
}
