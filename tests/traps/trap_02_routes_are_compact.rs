//! Go splits the text of a route at `brokerAddrs` and counts on what follows directly, in whichever form it comes.

use std::fmt::Display;

use ferromq::protocol::codes::{request, response};

use crate::raw::{Raw, ask_for};
use crate::support::Cluster;

/// Each with the version of the request, whether it asks for standard JSON, and whether it is sent that.
const FORMS: [(i32, Option<&str>, bool); 8] = [
    (0, None, false),
    (121, None, false),
    (317, None, false),
    (400, Some("false"), false),
    (400, Some("true"), true),
    (0, Some("true"), true),
    (401, None, true),
    (407, Some("false"), true),
];

#[actix::test]
async fn a_route_is_compact_in_both_its_forms() {
    let cluster = Cluster::start().await;
    let mut client = Raw::connect(cluster.namesrv.address()).await;
    for (version, asked, standard) in FORMS {
        let mut fields: Vec<(&str, &dyn Display)> = vec![("topic", &"TBW102")];
        if let Some(asked) = &asked {
            fields.push(("acceptStandardJsonOnly", asked));
        }
        let mut route = ask_for(request::GET_ROUTEINFO_BY_TOPIC, &fields);
        route.version = version;
        let reply = client.ask(route).await;
        assert_eq!(reply.code, response::SUCCESS, "{reply:?}");
        let text = std::str::from_utf8(&reply.body).unwrap();
        let quote = if standard { "\"" } else { "" };
        let addresses = format!(r#""brokerAddrs":{{{quote}0{quote}:"{}"}}"#, cluster.broker.address());
        assert!(text.contains(&addresses), "version {version}, asked {asked:?}: {text}");
        assert!(!text.contains([' ', '\n']), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(text).is_ok(), standard, "{text}");
    }
    cluster.stop().await;
}
