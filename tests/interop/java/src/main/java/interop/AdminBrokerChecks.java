package interop;

import static interop.Checks.contains;
import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageQueue;

/** The commands of mqadmin about the broker and the cluster. */
final class AdminBrokerChecks {
    /** What brokerStatus tells of a broker with the default store, besides one line per directory and delay level. */
    private static final List<String> STATUS = List.of("EndTransactionQueueSize", "EndTransactionThreadPoolQueueCapacity",
        "bootTimestamp", "brokerVersion", "brokerVersionDesc", "commitLogDirCapacity", "commitLogDiskRatio", "commitLogMaxOffset",
        "commitLogMinOffset", "consumeQueueDiskRatio", "dispatchBehindBytes", "dispatchMaxBuffer", "earliestMessageTimeStamp",
        "getFoundTps", "getMessageEntireTimeMax", "getMissTps", "getTotalTps", "getTransferedTps", "msgGetTotalTodayMorning",
        "msgGetTotalTodayNow", "msgGetTotalYesterdayMorning", "msgPutTotalTodayMorning", "msgPutTotalTodayNow",
        "msgPutTotalYesterdayMorning", "pageCacheLockTimeMills", "pullThreadPoolQueueCapacity",
        "pullThreadPoolQueueHeadWaitTimeMills", "pullThreadPoolQueueSize", "putLatency99", "putLatency999",
        "putMessageAverageSize", "putMessageDistributeTime", "putMessageEntireTimeMax", "putMessageFailedTimes",
        "putMessageSizeTotal", "putMessageTimesTotal", "putTps", "queryThreadPoolQueueCapacity",
        "queryThreadPoolQueueHeadWaitTimeMills", "queryThreadPoolQueueSize", "remainHowManyDataToFlush",
        "remainTransientStoreBufferNumbs", "runtime", "sendThreadPoolQueueCapacity", "sendThreadPoolQueueHeadWaitTimeMills",
        "sendThreadPoolQueueSize", "startAcceptSendRequestTimeStamp");

    static void run(Checks checks) {
        checks.run("mqadmin_clusterList", AdminBrokerChecks::clusterList);
        checks.run("mqadmin_brokerStatus", AdminBrokerChecks::status);
        checks.run("mqadmin_updateBrokerConfig", AdminBrokerChecks::config);
        checks.run("mqadmin_brokerConsumeStats", AdminBrokerChecks::consumeStats);
        checks.run("mqadmin_clean", AdminBrokerChecks::clean);
        checks.run("mqadmin_wipeWritePerm", AdminBrokerChecks::writePerm);
    }

    static String clusterList(Session session) throws Exception {
        String name = AdminTopicChecks.brokerName(session);
        String[] row = Tool.row(Tool.run(session, "clusterList"), name);
        equal(List.of("DefaultCluster", name, "0", session.options().broker(), "V4_9_7"),
            List.of(row).subList(0, 5), "line");
        that(row[5].matches("\\d+\\.\\d\\d\\(\\d+,\\d+ms\\)"), "sends per second and the queue of sends: " + row[5]);
        that(row[9].matches("0\\.\\d{4}"), "part of the disk that is used: " + row[9]);
        Session.eventually("messages in today", 10,
            () -> Long.parseLong(Tool.row(Tool.run(session, "clusterList", "-m"), name)[4]) > 0);
        return "";
    }

    static String status(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Map<String, String> before = lines(Tool.run(session, "brokerStatus", "-b", session.options().broker()), ":");
        List<String> missing = STATUS.stream().filter(key -> !before.containsKey(key)).toList();
        that(missing.isEmpty(), "missing: " + missing);
        equal("407", before.get("brokerVersion"), "version");
        equal("V4_9_7", before.get("brokerVersionDesc"), "version");
        String runtime = before.get("runtime");
        that(runtime.matches("\\[ \\d+ days, \\d+ hours, \\d+ minutes, \\d+ seconds \\]"), runtime);
        // Over the last 10, 60 and 600 s, as far as the broker has run so long.
        that(before.get("putTps").matches("[\\d.E-]+( [\\d.E-]+){0,2}"), "up to three rates: " + before.get("putTps"));
        ConsumeChecks.send(session, producer, "", 0, 10);
        // What was counted may be told up to a second later.
        Session.eventually("the counters", 10, () -> {
            Map<String, String> now = lines(Tool.run(session, "brokerStatus", "-b", session.options().broker()), ":");
            for (String key : List.of("msgPutTotalTodayNow", "putMessageTimesTotal")) {
                long grown = Long.parseLong(now.get(key)) - Long.parseLong(before.get(key));
                if (grown < 10 || grown >= 1_000) {
                    throw new IllegalStateException(key + " grew by " + grown);
                }
            }
            return true;
        });
        Map<String, String> after = lines(Tool.run(session, "brokerStatus", "-b", session.options().broker()), ":");
        that(Long.parseLong(after.get("commitLogMaxOffset")) > Long.parseLong(before.get("commitLogMaxOffset")), "log end");
        String ofCluster = Tool.run(session, "brokerStatus", "-c", "DefaultCluster");
        equal(session.options().broker(), Tool.row(ofCluster, "brokerVersionDesc")[0], "broker in the lines of a cluster");
        return "";
    }

    /** The configuration that the driver gave the broker, one key changed and changed back. */
    static String config(Session session) throws Exception {
        String broker = session.options().broker();
        String key = "maxTransferCountOnMessageInMemory";
        Map<String, String> config = lines(Tool.run(session, "getBrokerConfig", "-b", broker), "=");
        for (String setting : List.of("enablePropertyFilter=true", "traceTopicEnable=true", "transactionCheckInterval=2000",
            "brokerClusterName=DefaultCluster", "brokerId=0", "brokerRole=ASYNC_MASTER", "flushDiskType=ASYNC_FLUSH",
            "listenPort=" + broker.split(":")[1], "namesrvAddr=" + session.options().namesrv(), "fileReservedTime=72",
            "brokerName=" + AdminTopicChecks.brokerName(session), key + "=32")) {
            String[] parts = setting.split("=");
            equal(parts[1], config.get(parts[0]), parts[0]);
        }
        String output = Tool.run(session, "updateBrokerConfig", "-b", broker, "-k", key, "-v", "33");
        equal("update broker config success, " + broker, output.trim(), "answer");
        config = lines(Tool.run(session, "getBrokerConfig", "-c", "DefaultCluster"), "=");
        equal("33", config.get(key), "changed value");
        Tool.run(session, "updateBrokerConfig", "-c", "DefaultCluster", "-k", key, "-v", "32");
        config = lines(Tool.run(session, "getBrokerConfig", "-b", broker), "=");
        equal("32", config.get(key), "value changed back");
        return config.size() + " keys";
    }

    static String consumeStats(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        DefaultMQPushConsumer consumer = ConsumeChecks.consumed(session, producer, 4);
        ResetChecks.awaitProgress(session, session.admin(), consumer, 4);
        consumer.shutdown();
        ConsumeChecks.send(session, producer, "", 4, 10);
        session.awaitStored(producer, 10);
        String name = AdminTopicChecks.brokerName(session);
        String output = Tool.run(session, "brokerConsumeStats", "-b", session.options().broker());
        String[] row = Tool.rowsOf(output, session.topic()).get(0);
        equal(List.of(session.topic(), session.group(), name, "0", "10", "4", "6"), List.of(row).subList(0, 7), "line");
        contains(output, "Diff Total: ");
        output = Tool.run(session, "brokerConsumeStats", "-b", session.options().broker(), "-l", "7");
        that(Tool.rowsOf(output, session.topic()).isEmpty(), "a queue that is less than 7 behind: " + output);
        return "";
    }

    /** What is young stays, whatever is asked for. */
    static String clean(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        ConsumeChecks.send(session, producer, "", 0, 10);
        session.awaitStored(producer, 10);
        String[] status = {"brokerStatus", "-b", session.options().broker()};
        String begins = lines(Tool.run(session, status), ":").get("commitLogMinOffset");
        for (String command : List.of("cleanExpiredCQ", "cleanUnusedTopic", "deleteExpiredCommitLog")) {
            equal("success", Tool.run(session, command, "-b", session.options().broker()), command);
            equal("success", Tool.run(session, command, "-c", "DefaultCluster"), command + " of the cluster");
        }
        equal(begins, lines(Tool.run(session, status), ":").get("commitLogMinOffset"), "beginning of the log");
        for (MessageQueue queue : producer.fetchPublishMessageQueues(session.topic())) {
            equal(0L, producer.minOffset(queue), "first message of " + queue);
            equal(10L, producer.maxOffset(queue), "messages of " + queue);
        }
        return "";
    }

    static String writePerm(Session session) throws Exception {
        session.createTopic(session.producer(), 2);
        String name = AdminTopicChecks.brokerName(session);
        String done = " write perm of broker[" + name + "] in name server[" + session.options().namesrv() + "] OK, ";
        contains(Tool.run(session, "wipeWritePerm", "-b", name), "wipe" + done);
        String route = AdminTopicChecks.route(session, session.topic());
        that(route.endsWith(" 2 2 4"), "route without the permission: " + route);
        contains(Tool.run(session, "addWritePerm", "-b", name), "add" + done);
        route = AdminTopicChecks.route(session, session.topic());
        that(route.endsWith(" 2 2 6"), "route with the permission: " + route);
        return "";
    }

    /** The lines of a listing as keys and values. */
    static Map<String, String> lines(String output, String separator) {
        Map<String, String> values = new TreeMap<>();
        output.lines().filter(line -> line.contains(separator) && !line.startsWith("=")).forEach(line -> {
            int at = line.indexOf(separator);
            values.put(line.substring(0, at).trim(), line.substring(at + 1).trim());
        });
        return values;
    }
}
