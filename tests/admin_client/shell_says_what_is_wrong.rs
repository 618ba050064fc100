//! `ferromq admin`: what cannot be done is told on standard error, with an exit code that says whose mistake it is.

use crate::binary::{Ferromq, contains};
use crate::shell::Shell;

/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn what_the_servers_do_not_have() {
    let shell = Shell::start();
    let name = shell.broker_name();
    for (command, part) in [
        ("topicRoute -t nope", "error: no route to topic nope: No topic route info"),
        ("topicStatus -t nope", "no route to topic nope"),
        (
            "updateTopic -c nope -t orders",
            "no cluster \"nope\" is known to the name servers; there are: DefaultCluster",
        ),
        (
            "queryMsgByOffset -b nope -t orders -i 0 -o 0",
            "no broker \"nope\" is known to the name servers; there are: ",
        ),
        ("consumerProgress -g nope", "no route to topic %RETRY%nope"),
        ("consumerConnection -g nope", "no route to topic %RETRY%nope"),
        (&format!("queryMsgByOffset -b {name} -t TBW102 -i 0 -o 5"), "queue 0 of TBW102 at"),
        ("queryMsgByKey -t TBW102 -k a", "error: topic TBW102 has no message with key a"),
        ("queryMsgByUniqueKey -t TBW102 -i a", "has no message with the id a"),
        ("queryCq -t TBW102 -q 99 -i 0", "99@TBW102 is not exist!"),
        (&format!("updateBrokerConfig -b {} -k fileReservedTime -v soon", shell.broker()), "fileReservedTime"),
        (&format!("sendMessage -t TBW102 -p hello -b {name} -i 99"), "topic TBW102 has no queue 99 at"),
        (&format!("producerConnection -g nope -t TBW102 -n {}", shell.name_server), "nope"),
    ] {
        contains(&shell.fails(command), part);
    }
}

#[test]
fn nobody_is_there() {
    let ferromq = Ferromq::new();
    for command in
        ["topicList", "clusterList", "updateKvConfig -s ns -k a -v b", "getNamesrvConfig", "printMsg -t orders"]
    {
        let ran = ferromq.run(&format!("admin {command} -n {NOBODY}"));
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{command}");
        contains(&ran.err, "error: cannot connect to 127.0.0.1:1: ");
    }
    let ran = ferromq.run_in_environment("admin topicList", &[("NAMESRV_ADDR", NOBODY)]);
    contains(&ran.err, "error: cannot connect to 127.0.0.1:1: ");
    let ran = ferromq.run(&format!("admin brokerStatus -b {NOBODY}"));
    assert_eq!(ran.code, 1, "{}", ran.err);
}

#[test]
fn wrong_arguments() {
    for (command, part) in [
        ("", "Usage: ferromq admin"),
        ("topiclist", "some similar subcommands exist: "),
        ("updateTopic -t orders", "<--brokerAddr <ADDRESS>|--clusterName <NAME>>"),
        ("updateTopic -t orders -b a:1 -c x", "cannot be used with"),
        ("updateTopic -c x -t a.b", "illegal characters"),
        ("updateTopic -c x -t orders -p 5", "expected 2 (send), 4 (read) or 6 (both)"),
        ("updateTopic -c x -t orders -o maybe", "[possible values: true, false]"),
        ("updateOrderConf -t orders -m put", "--orderConf <QUEUES>"),
        ("updateOrderConf -t orders -m put -v broker-a", "expected broker-a:4;broker-b:4"),
        ("resetOffsetByTime -g g -t t -s yesterday", "error: --timestamp: expected milliseconds since the epoch"),
        ("printMsg -t t -b 2026-02-30#00:00:00:000", "expected a time of this place"),
        ("printMsg -t t -c klingon", "expected the name of a charset"),
        ("queryMsgById -i 7F0000", "7F0000 is no offset id of 32 or 56 hexadecimal digits"),
        ("queryMsgById -i 7F000001000070EF0000000000000000 -g g", "--clientId <ID>"),
        ("queryMsgById -i 7F000001000070EF0000000000000000,7F0000 -s true", "7F0000 is no offset id"),
        ("sendMessage -t t -p hello -i 1", "--broker <NAME>"),
        ("consumeMessage -t t -c 0", "0 is not in 1.."),
        ("printMsg -t t -b=-5", "expected a time from 1970 on"),
        ("printMsg -t t -b 1969-12-30#00:00:00:000", "expected a time from 1970 on"),
        ("topicList -n nonsense", "expected host:port;host:port, found \"nonsense\""),
        ("topicList -n ;", "no name server is given"),
    ] {
        let ran = Ferromq::new().run(&format!("admin {command}"));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{command}: {}", ran.err);
        contains(&ran.err, part);
    }
}

#[test]
fn the_names_are_those_of_mqadmin() {
    for (command, options) in [
        (
            "updateTopic",
            &["-b, --brokerAddr", "-c, --clusterName", "-o, --order", "-s, --hasUnitSub", "-w, --writeQueueNums"][..],
        ),
        ("updateSubGroup", &["-a, --notifyConsumerIdsChanged", "-i, --brokerId", "-m, --consumeFromMinEnable"]),
        ("consumerProgress", &["-g, --groupName", "-s, --showClientIP"]),
        ("consumeMessage", &["-c, --MessageNumber", "-s, --beginTimestamp"]),
        ("checkMsgSendRT", &["-a, --amount", "-n, --namesrvAddr"]),
        ("allocateMQ", &["-i, --ipList"]),
        ("cleanExpiredCQ", &["-b, --brokerAddr"]),
        (
            "updateAclConfig",
            &[
                "-a, --accessKey",
                "-s, --secretKey",
                "-w, --whiteRemoteAddress",
                "-i, --defaultTopicPerm",
                "-u, --defaultGroupPerm",
                "-t, --topicPerms",
                "-g, --groupPerms",
                "-m, --admin",
            ],
        ),
        ("deleteAclConfig", &["-a, --accessKey", "-b, --brokerAddr", "-c, --clusterName"]),
        ("updateGlobalWhiteAddr", &["-g, --globalWhiteRemoteAddresses", "-p, --aclFileFullPath"]),
        ("clusterAclConfigVersion", &["-b, --brokerAddr", "-c, --clusterName"]),
        ("getAclConfig", &["-b, --brokerAddr", "-c, --clusterName"]),
    ] {
        let help = Ferromq::new().run(&format!("admin {command} --help")).out;
        options.iter().for_each(|option| contains(&help, option));
    }
}
