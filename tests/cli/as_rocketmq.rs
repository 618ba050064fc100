//! The binary under the names of RocketMQ's programs.

use crate::binary::{Ferromq, contains};

#[test]
fn mqbroker_takes_rocketmqs_options() {
    let mqbroker = Ferromq::called("mqbroker").with_file("b.conf", "brokerName=broker-b\n");
    for options in
        ["-c b.conf -n 10.0.0.1:9876 -p", "--configFile b.conf --namesrvAddr 10.0.0.1:9876 --printConfigItem"]
    {
        let ran = mqbroker.run(options);
        assert_eq!(ran.code, 0, "{}", ran.err);
        contains(&ran.out, "brokerName=broker-b\n");
        contains(&ran.out, "namesrvAddr=10.0.0.1:9876\n");
    }
    let important = mqbroker.run("-m");
    assert!(important.out.contains("brokerName=") && !important.out.contains("listenPort="), "{}", important.out);
    contains(&mqbroker.run("-h").out, "--printImportantConfig");
}

#[test]
fn mqbroker_refuses_an_illegal_name_server_address_in_rocketmqs_words() {
    let ran = Ferromq::called("mqbroker").run("-n localhost");
    let expected = "The Name Server Address[localhost] illegal, please set it as follows, \
                    \"127.0.0.1:9876;192.168.0.1:9876\"\n";
    assert_eq!((ran.code, ran.out.as_str()), (253, expected));
}

#[test]
fn other_faults_have_rocketmqs_exit_codes() {
    let mqbroker = Ferromq::called("mqbroker");
    assert_eq!(mqbroker.run("--nonsense").code, 1);
    assert_eq!(mqbroker.run("-c missing.conf").code, 255);
}

#[test]
fn mqbroker_passes_over_what_rocketmq_passes_over() {
    let ran = Ferromq::called("mqbroker").run("-p autoCreateTopicEnable=false");
    assert_eq!(ran.code, 0);
    contains(&ran.out, "autoCreateTopicEnable=true\n");
    contains(&ran.err, "passed over, as in RocketMQ: autoCreateTopicEnable=false");
}

#[test]
fn mqnamesrv_takes_rocketmqs_options() {
    let mqnamesrv = Ferromq::called("mqnamesrv").with_file("n.conf", "listenPort=9999\n");
    let ran = mqnamesrv.run("-c n.conf -p");
    assert_eq!(ran.code, 0, "{}", ran.err);
    contains(&ran.out, "listenPort=9999\n");
    contains(&ran.out, &format!("kvConfigPath={}/namesrv/kvConfig.json\n", mqnamesrv.path().display()));
}

#[test]
fn mqadmin_has_its_commands() {
    let mqadmin = Ferromq::called("mqadmin");
    contains(&mqadmin.run("help updateTopic").out, "--brokerAddr");
    let ran = mqadmin.run("clusterList -n 127.0.0.1:1");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    contains(&ran.err, "cannot connect to 127.0.0.1:1");
    assert_eq!(mqadmin.run("").code, 2);
}
