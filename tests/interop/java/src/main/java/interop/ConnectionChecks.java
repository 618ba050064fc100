package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.MQVersion;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.body.CMResult;
import org.apache.rocketmq.common.protocol.body.Connection;
import org.apache.rocketmq.common.protocol.body.ConsumeMessageDirectlyResult;
import org.apache.rocketmq.common.protocol.body.ConsumerConnection;
import org.apache.rocketmq.common.protocol.body.ConsumerRunningInfo;
import org.apache.rocketmq.common.protocol.body.ProcessQueueInfo;
import org.apache.rocketmq.common.protocol.heartbeat.ConsumeType;
import org.apache.rocketmq.common.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.common.protocol.heartbeat.SubscriptionData;
import org.apache.rocketmq.remoting.protocol.LanguageCode;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What the broker knows about the clients that are connected, and what it asks them for an administrator. */
final class ConnectionChecks {
    private static final int SYSTEM_ERROR = 1;
    private static final int CONSUMER_NOT_ONLINE = 206;

    static void run(Checks checks) {
        checks.start("connection_consumers", ConnectionChecks::consumers);
        checks.start("connection_producers", ConnectionChecks::producers);
        checks.start("connection_running_info", ConnectionChecks::runningInfo);
        checks.start("connection_consume_directly", ConnectionChecks::consumeDirectly);
        checks.start("connection_consume_status", ConnectionChecks::consumeStatus);
    }

    static String consumers(Session session) throws Exception {
        session.createTopic(session.producer(), 2);
        DefaultMQAdminExt admin = session.admin();
        DefaultMQPushConsumer first = ConsumeChecks.consumer(session, "A || B", new Received());
        DefaultMQPushConsumer second = ConsumeChecks.consumer(session, "A || B", new Received());
        Session.eventually("two connections", 10,
            () -> admin.examineConsumerConnectionInfo(session.group()).getConnectionSet().size() == 2);
        ConsumerConnection info = admin.examineConsumerConnectionInfo(session.group());
        equal(Set.of(first.buildMQClientId(), second.buildMQClientId()), clients(info.getConnectionSet()), "clients");
        info.getConnectionSet().forEach(ConnectionChecks::checkConnection);
        equal(ConsumeType.CONSUME_PASSIVELY, info.getConsumeType(), "type");
        equal(MessageModel.CLUSTERING, info.getMessageModel(), "model");
        equal(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET, info.getConsumeFromWhere(), "where it begins");
        equal(Set.of(session.topic(), "%RETRY%" + session.group()), info.getSubscriptionTable().keySet(), "topics");
        SubscriptionData subscription = info.getSubscriptionTable().get(session.topic());
        equal("A || B", subscription.getSubString(), "expression");
        equal(Set.of("A", "B"), subscription.getTagsSet(), "tags");
        equal(Set.of(65, 66), subscription.getCodeSet(), "hash codes of the tags");
        equal("TAG", subscription.getExpressionType(), "type of the expression");
        second.shutdown();
        Session.eventually("one connection", 10,
            () -> admin.examineConsumerConnectionInfo(session.group()).getConnectionSet().size() == 1);
        first.shutdown();
        Session.eventually("no connection", 10, () -> consumerRefusal(session, admin) == CONSUMER_NOT_ONLINE);
        return "";
    }

    static String producers(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        producer.send(session.message("known from now on"));
        DefaultMQAdminExt admin = session.admin();
        String group = producer.getProducerGroup();
        Session.eventually("the connection", 10, () ->
            clients(admin.examineProducerConnectionInfo(group, session.topic()).getConnectionSet())
                .equals(Set.of(producer.buildMQClientId())));
        admin.examineProducerConnectionInfo(group, session.topic()).getConnectionSet()
            .forEach(ConnectionChecks::checkConnection);
        producer.shutdown();
        Session.eventually("no connection", 10, () -> producerRefusal(session, admin, group) == SYSTEM_ERROR);
        return "";
    }

    static String runningInfo(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        DefaultMQPushConsumer consumer = ConsumeChecks.consumed(session, producer, 10);
        DefaultMQAdminExt admin = session.admin();
        ConsumerRunningInfo info = admin.getConsumerRunningInfo(session.group(), consumer.buildMQClientId(), true);
        equal("CONSUME_PASSIVELY", info.getProperties().getProperty("PROP_CONSUME_TYPE"), "type");
        equal("false", info.getProperties().getProperty("PROP_CONSUMEORDERLY"), "orderly");
        that(info.getJstack().contains("ConsumeMessageThread"), "no stacks: " + info.getJstack());
        Map<MessageQueue, ProcessQueueInfo> queues = new TreeMap<>(info.getMqTable());
        queues.keySet().removeIf(queue -> !queue.getTopic().equals(session.topic()));
        equal(2, queues.size(), "queues");
        queues.values().forEach(queue -> equal(0, queue.getCachedMsgCount(), "cached messages"));
        that(info.getStatusTable().containsKey(session.topic()), "no status of the topic");
        try {
            admin.getConsumerRunningInfo(session.group(), "nobody@there", false);
            throw new AssertionError("a client that is not there");
        } catch (MQClientException refused) {
            equal(SYSTEM_ERROR, refused.getResponseCode(), "code for a client that is not there");
            that(refused.getErrorMessage().contains("The Consumer <" + session.group() + "> <nobody@there> not online"),
                "text: " + refused.getErrorMessage());
        }
        return "";
    }

    /** A message is consumed once more, by the client that the administrator names. */
    static String consumeDirectly(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Received received = new Received();
        DefaultMQPushConsumer consumer = ConsumeChecks.consumer(session, "*", received);
        SendResult sent = producer.send(session.message("again"));
        received.await(1, 20);
        DefaultMQAdminExt admin = session.admin();
        for (String id : List.of(sent.getOffsetMsgId(), sent.getMsgId())) {
            received.messages.clear();
            ConsumeMessageDirectlyResult result =
                admin.consumeMessageDirectly(session.group(), consumer.buildMQClientId(), session.topic(), id);
            equal(CMResult.CR_SUCCESS, result.getConsumeResult(), "result");
            equal(false, result.isOrder(), "orderly");
            equal(Map.of("again", 1), received.bodies(), "messages");
        }
        return "";
    }

    static String consumeStatus(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        DefaultMQPushConsumer consumer = ConsumeChecks.consumed(session, producer, 10);
        DefaultMQAdminExt admin = session.admin();
        String client = consumer.buildMQClientId();
        Session.eventually("offsets of 10 messages at the client", 10, () -> {
            Map<String, Map<MessageQueue, Long>> status = admin.getConsumeStatus(session.topic(), session.group(), client);
            return status.keySet().equals(Set.of(client))
                && status.get(client).values().stream().mapToLong(Long::longValue).sum() == 10;
        });
        equal(Set.of(client), admin.getConsumeStatus(session.topic(), session.group(), "").keySet(), "clients of the group");
        return "";
    }

    private static Set<String> clients(Set<Connection> connections) {
        return connections.stream().map(Connection::getClientId).collect(Collectors.toSet());
    }

    private static void checkConnection(Connection connection) {
        equal(LanguageCode.JAVA, connection.getLanguage(), "language");
        equal(MQVersion.CURRENT_VERSION, connection.getVersion(), "version");
        that(connection.getClientAddr().matches("127\\.0\\.0\\.1:\\d+"), "address " + connection.getClientAddr());
    }

    private static int consumerRefusal(Session session, DefaultMQAdminExt admin) throws Exception {
        try {
            admin.examineConsumerConnectionInfo(session.group());
            return 0;
        } catch (MQBrokerException refused) {
            return refused.getResponseCode();
        }
    }

    private static int producerRefusal(Session session, DefaultMQAdminExt admin, String group) throws Exception {
        try {
            admin.examineProducerConnectionInfo(group, session.topic());
            return 0;
        } catch (MQBrokerException refused) {
            return refused.getResponseCode();
        }
    }
}
