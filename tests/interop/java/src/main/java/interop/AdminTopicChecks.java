package interop;

import static interop.Checks.contains;
import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.Arrays;
import java.util.List;
import org.apache.rocketmq.client.producer.DefaultMQProducer;

/** The commands of mqadmin about topics. */
final class AdminTopicChecks {
    private static final String CLUSTER = "DefaultCluster";

    static void run(Checks checks) {
        checks.run("mqadmin_updateTopic", AdminTopicChecks::update);
        checks.run("mqadmin_topicList", AdminTopicChecks::list);
        checks.run("mqadmin_topicStatus", AdminTopicChecks::status);
        checks.run("mqadmin_updateTopicPerm", AdminTopicChecks::perm);
        checks.run("mqadmin_deleteTopic", AdminTopicChecks::delete);
        checks.run("mqadmin_allocateMQ", AdminTopicChecks::allocate);
        checks.run("mqadmin_statsAll", AdminTopicChecks::stats);
    }

    /** Made on one broker and changed, made on a cluster in order; topicRoute and topicClusterList tell. */
    static String update(Session session) throws Exception {
        String topic = session.topic();
        String broker = session.options().broker();
        String output = Tool.run(session, "updateTopic", "-b", broker, "-t", topic, "-r", "4", "-w", "4");
        that(output.startsWith("create topic to " + broker + " success."), output);
        that(route(session, topic).endsWith(" 4 4 6"), "route: " + route(session, topic));
        Tool.run(session, "updateTopic", "-b", broker, "-t", topic, "-r", "8", "-w", "6", "-p", "2");
        that(route(session, topic).endsWith(" 8 6 2"), "changed route: " + route(session, topic));
        equal(CLUSTER + " " + brokerName(session) + " {0=" + broker + "} 8 6 2", route(session, topic), "route as a list");
        String json = Tool.run(session, "topicRoute", "-t", topic);
        for (String part : List.of("\"cluster\":\"" + CLUSTER, "{0:\"" + broker + "\"", "\"readQueueNums\":8",
            "\"perm\":2")) {
            contains(json, part);
        }
        equal(CLUSTER, Tool.run(session, "topicClusterList", "-t", topic).trim(), "cluster");

        String ordered = session.topic("ordered");
        output = Tool.run(session, "updateTopic", "-c", CLUSTER, "-t", ordered, "-r", "3", "-w", "3", "-o", "true");
        contains(output, "set cluster orderConf. isOrder=true, orderConf=[" + brokerName(session) + ":3]");
        output = Tool.run(session, "updateOrderConf", "-t", ordered, "-m", "get");
        contains(output, "orderConf=[" + brokerName(session) + ":3]");

        String refused = Tool.runFailing(session, "updateTopic", "-b", broker, "-t", "TBW102", "-r", "4", "-w", "4");
        contains(refused, "CODE: 1  DESC: The topic[TBW102] is conflict with system topic.");
        return "";
    }

    static String list(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        List<String> topics = Tool.run(session, "topicList").lines().toList();
        for (String topic : List.of(session.topic(), "TBW102", "SELF_TEST_TOPIC", "SCHEDULE_TOPIC_XXXX", "BenchmarkTest",
            "OFFSET_MOVED_EVENT", "RMQ_SYS_TRACE_TOPIC", CLUSTER, brokerName(session),
            CLUSTER + "_REPLY_TOPIC")) {
            that(topics.contains(topic), topic + " is not in the list: " + topics);
        }
        ConsumeChecks.send(session, producer, "", 0, 1);
        ConsumeChecks.consumer(session, "*", new Received());
        Session.eventually("the topic with its group", 10, () -> {
            String[] row = Tool.row(Tool.run(session, "topicList", "-c"), session.topic());
            return Arrays.equals(new String[] {CLUSTER, session.topic(), session.group()}, row);
        });
        return "";
    }

    static String status(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        for (int number = 0; number < 3; number++) {
            producer.send(session.message("message"), (queues, message, none) -> queues.get(1), null);
        }
        session.awaitStored(producer, 3);
        List<String[]> rows = Tool.rows(Tool.run(session, "topicStatus", "-t", session.topic()), brokerName(session));
        equal(List.of(brokerName(session), "0", "0", "0"), List.of(rows.get(0)), "empty queue, without a time");
        equal(List.of(brokerName(session), "1", "0", "3"), List.of(rows.get(1)).subList(0, 4), "queue with messages");
        that(rows.get(1)[4].matches("\\d{4}-\\d\\d-\\d\\d"), "time of the last update: " + rows.get(1)[4]);
        return "";
    }

    static String perm(Session session) throws Exception {
        String topic = session.topic();
        String broker = session.options().broker();
        Tool.run(session, "updateTopic", "-b", broker, "-t", topic, "-r", "2", "-w", "2");
        String output = Tool.run(session, "updateTopicPerm", "-b", broker, "-t", topic, "-p", "4");
        that(output.startsWith("update topic perm from 6 to 4 in " + broker + " success."), output);
        that(route(session, topic).endsWith(" 2 2 4"), "route: " + route(session, topic));
        output = Tool.run(session, "updateTopicPerm", "-b", broker, "-t", topic, "-p", "4");
        equal("new perm equals to the old one!", output.trim(), "the same again");
        output = Tool.run(session, "updateTopicPerm", "-c", CLUSTER, "-t", topic, "-p", "6");
        equal("update topic perm from 4 to 6 in " + broker + " success.", output.trim(), "on the cluster");
        that(route(session, topic).endsWith(" 2 2 6"), "route: " + route(session, topic));
        return "";
    }

    /** A topic that is made again after that is empty. */
    static String delete(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        ConsumeChecks.send(session, producer, "", 0, 5);
        session.awaitStored(producer, 5);
        String output = Tool.run(session, "deleteTopic", "-c", CLUSTER, "-t", session.topic());
        contains(output, "delete topic [" + session.topic() + "] from cluster [" + CLUSTER + "] success.");
        contains(output, "delete topic [" + session.topic() + "] from NameServer success.");
        output = Tool.runFailing(session, "topicRoute", "-t", session.topic());
        contains(output, "CODE: 17  DESC: No topic route info in name server for the topic: " + session.topic());
        that(!Tool.run(session, "topicList").contains(session.topic() + "\n"), "still in the list");
        return "";
    }

    static String allocate(Session session) throws Exception {
        session.createTopic(session.producer(), 4);
        String output = Tool.run(session, "allocateMQ", "-t", session.topic(), "-i", "10.0.0.1,10.0.0.2");
        that(output.startsWith("{\"result\":{"), output);
        // The queues are shared out in the order of a set: each goes to somebody, and each gets two.
        for (int queue = 0; queue < 4; queue++) {
            String part = "{\"brokerName\":\"" + brokerName(session) + "\",\"queueId\":" + queue + ",\"topic\":\""
                + session.topic() + "\"}";
            contains(output, part);
        }
        for (String ip : List.of("10.0.0.1", "10.0.0.2")) {
            that(output.matches("(?s).*\"" + ip + "\":\\[\\{[^}]*\\},\\{[^}]*\\}\\].*"),
                ip + " has not two queues: " + output);
        }
        return "";
    }

    static String stats(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        String[] alone = Tool.row(Tool.run(session, "statsAll", "-t", session.topic()), session.topic() + " ");
        equal(List.of(session.topic(), "0", "0.00", "0", "NO_CONSUMER"), List.of(alone), "topic without a group");
        Received received = new Received();
        ConsumeChecks.consumer(session, "*", received);
        ConsumeChecks.send(session, producer, "", 0, 5);
        received.await(5, 20);
        Session.eventually("the topic with its group", 20, () -> {
            String[] row = Tool.row(Tool.run(session, "statsAll", "-t", session.topic()), session.topic() + " ");
            return row.length == 7 && row[1].equals(session.group()) && row[2].equals("0");
        });
        return "";
    }

    static String brokerName(Session session) throws Exception {
        return session.admin().examineBrokerClusterInfo().getBrokerAddrTable().keySet().iterator().next();
    }

    /** The columns of the one broker in topicRoute -l. */
    static String route(Session session, String topic) {
        return String.join(" ", Tool.row(Tool.run(session, "topicRoute", "-t", topic, "-l"), CLUSTER));
    }
}
