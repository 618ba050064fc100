package interop;

import static interop.Checks.equal;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageExt;

/** Clients with a namespace: for the broker it is part of the names of topics and groups. */
final class NamespaceChecks {
    private static final String SPACE = "Space";

    static void run(Checks checks) {
        checks.start("namespace_topic", NamespaceChecks::topic);
        checks.start("namespace_retry", NamespaceChecks::retry);
    }

    /** The same topic and group with and without a namespace are two. */
    static String topic(Session session) throws Exception {
        DefaultMQProducer plain = session.producer();
        session.createTopic(plain, 2);
        plain.createTopic("TBW102", SPACE + "%" + session.topic(), 2);
        DefaultMQProducer spaced = session.producerIn(SPACE);
        Received byPlain = new Received();
        ConsumeChecks.consumer(session, "*", byPlain);
        Received bySpaced = new Received();
        consumer(session, bySpaced);
        for (int number = 0; number < 4; number++) {
            plain.send(session.message("plain " + number));
            SendResult result = spaced.send(session.message("spaced " + number));
            equal(session.topic(), result.getMessageQueue().getTopic(), "topic of the answer");
        }
        byPlain.await(4, 20);
        bySpaced.await(4, 20);
        equal(List.of("plain 0", "plain 1", "plain 2", "plain 3"), List.copyOf(byPlain.bodies().keySet()), "without");
        equal(List.of("spaced 0", "spaced 1", "spaced 2", "spaced 3"), List.copyOf(bySpaced.bodies().keySet()), "with");
        equal(session.topic(), bySpaced.messages.get(0).getTopic(), "topic as the listener sees it");
        equal(SPACE, bySpaced.messages.get(0).getProperty("INSTANCE_ID"), "INSTANCE_ID");
        MessageExt stored = session.awaitIn(SPACE + "%" + session.topic(), 5, message -> true);
        equal(SPACE + "%" + session.topic(), stored.getTopic(), "topic of the stored message");
        return "";
    }

    static String retry(Session session) throws Exception {
        DefaultMQProducer producer = session.producerIn(SPACE);
        List<MessageExt> deliveries = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.setNamespace(SPACE);
        consumer.setMaxReconsumeTimes(1);
        consumer.subscribe(session.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            deliveries.addAll(batch);
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        String retryTopic = "%RETRY%" + SPACE + "%" + session.group();
        DefaultMQProducer plain = session.producer();
        plain.createTopic("TBW102", SPACE + "%" + session.topic(), 1);
        RetryChecks.createRetryTopic(plain, retryTopic);
        consumer.start();
        SendResult sent = producer.send(session.message("spaced"));
        MessageExt dead = session.awaitIn("%DLQ%" + SPACE + "%" + session.group(), 30, message -> true);
        equal("spaced", Received.text(dead), "body of the dead letter");
        equal(2, dead.getReconsumeTimes(), "reconsume times of the dead letter");
        equal(SPACE + "%" + session.topic(), dead.getProperty("RETRY_TOPIC"), "RETRY_TOPIC of the dead letter");
        equal(2, deliveries.size(), "deliveries");
        equal(session.topic(), deliveries.get(1).getTopic(), "topic of the second delivery");
        equal(sent.getMsgId(), deliveries.get(1).getMsgId(), "message id of the second delivery");
        MessageExt retried = session.awaitIn(retryTopic, 5, message -> true);
        equal("spaced", Received.text(retried), "body in the retry topic");
        return "";
    }

    private static void consumer(Session session, Received received) throws Exception {
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.setNamespace(SPACE);
        ConsumeChecks.subscribe(session, consumer, "*", received);
    }
}
