package interop;

import static interop.Checks.contains;
import static interop.Checks.equal;
import static interop.Checks.that;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;

/** The commands of mqadmin about groups and their clients. */
final class AdminGroupChecks {
    static void run(Checks checks) {
        checks.run("mqadmin_updateSubGroup", AdminGroupChecks::update);
        checks.run("mqadmin_consumerProgress", AdminGroupChecks::progress);
        checks.run("mqadmin_consumerConnection", AdminGroupChecks::connection);
        checks.run("mqadmin_consumerStatus", AdminGroupChecks::status);
        checks.run("mqadmin_producer", AdminGroupChecks::producer);
    }

    /** A group is made, changed, read and deleted. */
    static String update(Session session) throws Exception {
        String group = session.group();
        String broker = session.options().broker();
        String output = Tool.run(session, "updateSubGroup", "-b", broker, "-g", group, "-s", "true", "-m", "false",
            "-d", "false", "-q", "2", "-r", "5", "-i", "0", "-w", "1", "-a", "false");
        that(output.startsWith("create subscription group to " + broker + " success."), output);
        String config = Tool.run(session, "getConsumerConfig", "-g", group);
        that(config.contains(":" + AdminTopicChecks.brokerName(session) + "="), "no broker in " + config);
        for (String line : List.of("groupName = " + group, "consumeEnable = true", "consumeFromMinEnable = false",
            "consumeBroadcastEnable = false", "retryQueueNums = 2", "retryMaxTimes = 5", "brokerId = 0",
            "whichBrokerWhenConsumeSlowly = 1", "notifyConsumerIdsChangedEnable = false")) {
            String key = line.substring(0, line.indexOf('='));
            equal(line, String.join(" ", Tool.row(config, key)), "line of the configuration");
        }
        output = Tool.run(session, "updateSubGroup", "-c", "DefaultCluster", "-g", group, "-r", "7");
        that(output.startsWith("create subscription group to " + broker + " success."), output);
        config = Tool.run(session, "getConsumerConfig", "-g", group);
        equal("7", Tool.row(config, "retryMaxTimes")[2], "retryMaxTimes after the change");
        // What is not named gets its default again.
        equal("1", Tool.row(config, "retryQueueNums")[2], "retryQueueNums after the change");
        output = Tool.run(session, "deleteSubGroup", "-b", broker, "-g", group, "-r", "true");
        contains(output, "delete subscription group [" + group + "] from broker [" + broker + "] success.");
        equal("", Tool.run(session, "getConsumerConfig", "-g", group).trim(), "configuration of the deleted group");
        return "";
    }

    static String progress(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        DefaultMQPushConsumer consumer = ConsumeChecks.consumed(session, producer, 10);
        ResetChecks.awaitProgress(session, session.admin(), consumer, 10);
        String name = AdminTopicChecks.brokerName(session);
        String owners = Tool.run(session, "consumerProgress", "-g", session.group(), "-s", "true");
        equal(consumer.getClientIP(), Tool.rowsOf(owners, session.topic()).get(0)[5], "client of the first queue");
        String[] summary = Tool.row(Tool.run(session, "consumerProgress"), session.group() + " ");
        equal(List.of(session.group(), "1", "V4_9_7", "PUSH", "CLUSTERING"), List.of(summary).subList(0, 5), "line");
        equal("0", summary[6], "messages behind");
        consumer.shutdown();
        ConsumeChecks.send(session, producer, "", 10, 16);
        session.awaitStored(producer, 16);
        String output = Tool.run(session, "consumerProgress", "-g", session.group());
        List<String[]> rows = Tool.rowsOf(output, session.topic());
        for (int queue = 0; queue < 2; queue++) {
            equal(List.of(session.topic(), name, Integer.toString(queue), "8", "5", "3"),
                List.of(rows.get(queue)).subList(0, 6), "line of queue " + queue);
        }
        contains(output, "Diff Total: 6\n");
        summary = Tool.row(Tool.run(session, "consumerProgress"), session.group() + " ");
        equal(List.of(session.group(), "0", "OFFLINE", "0", "6"), List.of(summary), "line of the group that is away");
        return "";
    }

    static String connection(Session session) throws Exception {
        session.createTopic(session.producer(), 2);
        DefaultMQPushConsumer consumer = ConsumeChecks.consumer(session, "A || B", new Received());
        String output = Tool.run(session, "consumerConnection", "-g", session.group());
        String[] client = Tool.row(output, consumer.buildMQClientId());
        that(client[1].startsWith("127.0.0.1:"), "address " + client[1]);
        equal(List.of("JAVA", "V4_9_7"), List.of(client).subList(2, 4), "language and version");
        List<String> lines = output.lines().map(line -> line.replaceAll("\\s+", " ").trim()).toList();
        for (String line : List.of(session.topic() + " A || B", "%RETRY%" + session.group() + " *",
            "ConsumeType: CONSUME_PASSIVELY", "MessageModel: CLUSTERING", "ConsumeFromWhere: CONSUME_FROM_FIRST_OFFSET")) {
            that(lines.contains(line), line + " is not in " + output);
        }
        consumer.shutdown();
        output = Tool.runFailing(session, "consumerConnection", "-g", session.group());
        contains(output, "CODE: 206  DESC: the consumer group[" + session.group() + "] not online");
        return "";
    }

    static String status(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        Received received = new Received();
        DefaultMQPushConsumer consumer = ConsumeChecks.consumer(session, "*", received);
        ConsumeChecks.send(session, producer, "", 0, 2);
        received.await(2, 20);
        String client = consumer.buildMQClientId();
        String output = Tool.run(session, "consumerStatus", "-g", session.group());
        String[] row = Tool.row(output, client + " ");
        equal(List.of("1", client, "V4_9_7"), List.of(row).subList(0, 3), "line of the client");
        contains(output, "Same subscription in the same group of consumer");
        contains(output, "Rebalance OK");
        // The command writes what each client said to a file in the working directory.
        Path file = Path.of(row[3]);
        that(Files.readString(file).contains("#Consumer MQ Detail#"), "nothing of the client's queues in " + file);
        Files.delete(file);
        Files.delete(file.getParent());
        output = Tool.run(session, "consumerStatus", "-g", session.group(), "-i", client);
        equal("CONSUME_PASSIVELY", Tool.row(output, "PROP_CONSUME_TYPE")[2], "type");
        that(output.contains("#Consumer Subscription#") && output.contains("ProcessQueueInfo [commitOffset="), output);
        output = Tool.run(session, "consumerStatus", "-g", session.group(), "-i", client, "-s");
        that(output.contains("ConsumeMessageThread"), "no stacks in " + output);
        return "";
    }

    static String producer(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        producer.send(session.message("known from now on"));
        String group = producer.getProducerGroup();
        String client = producer.buildMQClientId();
        Session.eventually("the connection", 10, () ->
            Tool.runFailing(session, "producerConnection", "-g", group, "-t", session.topic()).contains(client));
        String[] row = Tool.row(Tool.run(session, "producerConnection", "-g", group, "-t", session.topic()), client);
        equal(List.of("0001", client), List.of(row).subList(0, 2), "number and client");
        equal(List.of("JAVA", "V4_9_7"), List.of(row).subList(3, 5), "language and version");
        String output = Tool.run(session, "producer", "-b", session.options().broker());
        String line = output.lines().filter(found -> found.contains("(" + group + ")")).findFirst().orElse("");
        contains(line, "producer group (" + group + ") instance : clientId=" + client + ",remoteIP=/127.0.0.1:");
        contains(line, "language=JAVA, version=407, lastUpdateTimestamp=");
        return "";
    }
}
