package interop;

import static interop.Checks.contains;
import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;

/** The commands of mqadmin about the offsets of groups. */
final class AdminOffsetChecks {
    static void run(Checks checks) {
        checks.run("mqadmin_resetOffsetByTime", AdminOffsetChecks::resetByTime);
        checks.run("mqadmin_skipAccumulatedMessage", AdminOffsetChecks::skip);
        checks.run("mqadmin_cloneGroupOffset", AdminOffsetChecks::cloneGroup);
        checks.run("mqadmin_getConsumerStatus", AdminOffsetChecks::consumerStatus);
    }

    /** A group that runs and one that does not are answered with different tables. */
    static String resetByTime(Session session) throws Exception {
        DefaultMQPushConsumer consumer = consumed(session);
        String output = Tool.run(session, "resetOffsetByTime", "-g", session.group(), "-t", session.topic(), "-s", "now");
        contains(output, "rollback consumer offset by specified group[" + session.group() + "], topic[" + session.topic()
            + "], force[true], timestamp(string)[now], timestamp(long)[-1]");
        String name = AdminTopicChecks.brokerName(session);
        equal(List.of(name, "0", "10"), List.of(Tool.row(output, name)), "line of the queue, online");
        consumer.shutdown();
        output = Tool.run(session, "resetOffsetByTime", "-g", session.group(), "-t", session.topic(), "-s", "1000",
            "-f", "true");
        contains(output, "timestamp(string)[1000], timestamp(long)[1000]");
        equal(List.of(name, "0", "10", "10", "0", "0"), List.of(Tool.row(output, name)), "line of the queue, offline");
        // The offset that the group has from now on.
        equal("0", progress(session)[4], "consumer offset after the reset");
        return "";
    }

    static String skip(Session session) throws Exception {
        DefaultMQPushConsumer consumer = consumed(session);
        consumer.shutdown();
        ConsumeChecks.send(session, session.producer(), "", 10, 50);
        Session.eventually("a backlog of 40", 10, () -> progress(session)[5].equals("40"));
        String output = Tool.run(session, "skipAccumulatedMessage", "-g", session.group(), "-t", session.topic());
        String name = AdminTopicChecks.brokerName(session);
        equal(List.of(name, "0", "50", "10", "50", "50"), List.of(Tool.row(output, name)), "line of the queue");
        equal("0", progress(session)[5], "messages behind after that");
        output = Tool.runFailing(session, "skipAccumulatedMessage", "-g", session.group() + "_none", "-t", session.topic());
        contains(output, "CODE: 1  DESC: THe consumer group <" + session.group() + "_none> not exist");
        return "";
    }

    static String cloneGroup(Session session) throws Exception {
        consumed(session).shutdown();
        String clone = session.group() + "_CLONE";
        Tool.run(session, "updateSubGroup", "-b", session.options().broker(), "-g", clone);
        String output = Tool.run(session, "cloneGroupOffset", "-s", session.group(), "-d", clone, "-t", session.topic(),
            "-o", "true");
        equal("clone group offset success. srcGroup[" + session.group() + "], destGroup=[" + clone + "], topic["
            + session.topic() + "]", output, "answer");
        Received received = new Received();
        DefaultMQPushConsumer other = session.pushConsumer(clone);
        ConsumeChecks.subscribe(session, other, "*", received);
        ConsumeChecks.send(session, session.producer(), "", 10, 12);
        received.await(2, 20);
        equal("message 10", received.bodies().firstKey(), "first message of the clone");
        return "";
    }

    static String consumerStatus(Session session) throws Exception {
        String client = consumed(session).buildMQClientId();
        String output = Tool.run(session, "getConsumerStatus", "-g", session.group(), "-t", session.topic(), "-i", client);
        that(output.startsWith("get consumer status from client. group=" + session.group() + ", topic=" + session.topic()
            + ", originClientId=" + client), output);
        String name = AdminTopicChecks.brokerName(session);
        String[] row = Tool.row(output, " " + name + " ");
        equal(List.of(client, name, "0", "10"), List.of(row), "line of the queue");
        return "";
    }

    /** A group that has consumed 10 messages of one queue, and told the broker. */
    private static DefaultMQPushConsumer consumed(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        DefaultMQPushConsumer consumer = ConsumeChecks.consumed(session, producer, 10);
        ResetChecks.awaitProgress(session, session.admin(), consumer, 10);
        return consumer;
    }

    /** The columns of the one queue in consumerProgress. */
    private static String[] progress(Session session) {
        return Tool.rowsOf(Tool.run(session, "consumerProgress", "-g", session.group()), session.topic()).get(0);
    }
}
