package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages that a consumer did not manage: they come again, and in the end they lie in the dead letter queue. */
final class RetryChecks {
    private static final String SCHEDULE_TOPIC = "SCHEDULE_TOPIC_XXXX";

    static void run(Checks checks) {
        checks.start("retry_comes_again", RetryChecks::comesAgain);
        checks.start("retry_default_levels", RetryChecks::defaultLevels);
        checks.start("retry_dead_letter", RetryChecks::deadLetter);
        checks.start("retry_dead_letter_at_once", RetryChecks::deadLetterAtOnce);
    }

    /** Two failures: the third delivery has been consumed twice, and the message is otherwise what it was. */
    static String comesAgain(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        createRetryTopic(producer, "%RETRY%" + session.group());
        List<MessageExt> deliveries = consume(session, 2, 1, -1);
        SendResult sent = producer.send(taggedMessage(session));
        Session.await("3 deliveries", 30, () -> deliveries.size() == 3);
        for (int times = 0; times < 3; times++) {
            MessageExt delivery = deliveries.get(times);
            equal(times, delivery.getReconsumeTimes(), "reconsume times");
            // The client shows the topic to which the message was sent, and its own id.
            equal(session.topic(), delivery.getTopic(), "topic");
            equal(sent.getMsgId(), delivery.getMsgId(), "message id");
            checkContent(delivery);
            equal(times == 0 ? null : sent.getOffsetMsgId(), delivery.getProperty("ORIGIN_MESSAGE_ID"), "ORIGIN_MESSAGE_ID");
            equal(times == 0 ? null : session.topic(), delivery.getProperty("RETRY_TOPIC"), "RETRY_TOPIC");
            equal(times == 0 ? null : "1", delivery.getProperty("DELAY"), "DELAY");
        }
        MessageExt stored = session.awaitIn("%RETRY%" + session.group(), 5, message -> message.getReconsumeTimes() == 2);
        equal("%RETRY%" + session.group(), stored.getTopic(), "topic of the stored message");
        equal("%RETRY%" + session.group(), stored.getProperty("REAL_TOPIC"), "REAL_TOPIC of the stored message");
        that(stored.getBornTimestamp() == deliveries.get(0).getBornTimestamp(), "the message was born again");
        that(stored.getBornHostString().equals(deliveries.get(0).getBornHostString()), "the message was born elsewhere");
        return "";
    }

    /** Without a wish of the consumer the first delay is level 3, ten seconds, and the next is one level more. */
    static String defaultLevels(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        List<MessageExt> deliveries = consume(session, 2, 0, -1);
        producer.send(taggedMessage(session));
        Session.await("2 deliveries", 40, () -> deliveries.size() == 2);
        MessageExt second = deliveries.get(1);
        equal("3", second.getProperty("DELAY"), "DELAY of the second delivery");
        MessageExt first = deliveries.get(0);
        long after = second.getStoreTimestamp() - first.getStoreTimestamp();
        that(after >= 10_000 && after < 15_000, "the second delivery was stored " + after + " ms after the first");
        MessageExt waiting = waiting(session, 2, 5);
        equal(3, waiting.getQueueId(), "queue of the schedule in which the message waits");
        equal("4", waiting.getProperty("DELAY"), "DELAY of the message that waits");
        return "again after " + after + " ms";
    }

    static String deadLetter(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        createRetryTopic(producer, "%RETRY%" + session.group());
        List<MessageExt> deliveries = consume(session, Integer.MAX_VALUE, 1, 1);
        SendResult sent = producer.send(taggedMessage(session));
        MessageExt dead = session.awaitIn("%DLQ%" + session.group(), 30, message -> true);
        equal(2, deliveries.size(), "deliveries before the message was given up");
        equal(2, dead.getReconsumeTimes(), "reconsume times");
        checkDead(session, dead, sent);
        return "";
    }

    static String deadLetterAtOnce(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        List<MessageExt> deliveries = consume(session, Integer.MAX_VALUE, -1, -1);
        SendResult sent = producer.send(taggedMessage(session));
        MessageExt dead = session.awaitIn("%DLQ%" + session.group(), 30, message -> true);
        equal(1, deliveries.size(), "deliveries");
        equal(1, dead.getReconsumeTimes(), "reconsume times");
        equal("0", dead.getProperty("DELAY"), "DELAY");
        checkDead(session, dead, sent);
        return "";
    }

    /**
     * The heartbeat of a consumer makes its retry topic, as other checks see, but a client looks for new queues every
     * 20 s only. It takes at once those that are there before it starts.
     */
    static void createRetryTopic(DefaultMQProducer producer, String topic) throws Exception {
        producer.createTopic("TBW102", topic, 1);
        awaitRoute(producer, topic);
    }

    static void awaitRoute(DefaultMQProducer producer, String topic) throws InterruptedException {
        Session.eventually("the route of " + topic, 10, () -> producer.fetchPublishMessageQueues(topic).size() == 1);
    }

    /** What was delivered to a consumer that fails so often, with this wish for the next delivery. */
    private static List<MessageExt> consume(Session session, int failures, int delayLevel, int maxReconsumeTimes)
        throws Exception {
        List<MessageExt> deliveries = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.setMaxReconsumeTimes(maxReconsumeTimes);
        consumer.subscribe(session.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            deliveries.addAll(batch);
            context.setDelayLevelWhenNextConsume(delayLevel);
            return batch.get(0).getReconsumeTimes() < failures
                ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return deliveries;
    }

    static Message taggedMessage(Session session) {
        Message message = session.message("T", "body");
        message.setKeys("the key");
        message.putUserProperty("own", "value");
        return message;
    }

    static void checkContent(MessageExt message) {
        equal("body", Received.text(message), "body");
        equal("T", message.getTags(), "tags");
        equal("the key", message.getKeys(), "keys");
        equal("value", message.getUserProperty("own"), "user property");
    }

    private static void checkDead(Session session, MessageExt dead, SendResult sent) {
        equal("%DLQ%" + session.group(), dead.getTopic(), "topic");
        equal(session.topic(), dead.getProperty("RETRY_TOPIC"), "RETRY_TOPIC");
        equal(sent.getOffsetMsgId(), dead.getProperty("ORIGIN_MESSAGE_ID"), "ORIGIN_MESSAGE_ID");
        equal(sent.getMsgId(), dead.getMsgId(), "message id");
        checkContent(dead);
    }

    /** The message of this check that waits in the schedule for being consumed so often. */
    static MessageExt waiting(Session session, int reconsumeTimes, int seconds) throws Exception {
        return session.awaitIn(SCHEDULE_TOPIC, seconds, message ->
            session.topic().equals(message.getProperty("RETRY_TOPIC")) && message.getReconsumeTimes() == reconsumeTimes);
    }
}
