package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Messages that a consumer did not manage: the next broker delivers them again, and gives up the one that fails once more.
 * Dead letters lie where they are.
 */
final class MovedRetries implements Moved.Work {
    /** Longer than a move. */
    private static final int LEVEL = 2;
    private static final int MAX_RETRIES = 1;

    private final Deliveries dead = new Deliveries();
    private String comesAgain;
    private String failsAgain;

    @Override
    public void leave(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.topicWith(producer, 1, turn.first());
        if (turn.first()) {
            RetryChecks.createRetryTopic(producer, retryTopic(session));
        }
        comesAgain = "comes again, turn " + turn.number;
        failsAgain = "fails again, turn " + turn.number;
        String failsForGood = "fails for good, turn " + turn.number;
        DefaultMQPushConsumer consumer = consumer(session, (batch, context) -> {
            String body = Received.text(batch.get(0));
            context.setDelayLevelWhenNextConsume(body.equals(failsForGood) ? -1 : LEVEL);
            return Set.of(comesAgain, failsAgain, failsForGood).contains(body)
                ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        for (String body : List.of(comesAgain, "managed, turn " + turn.number, failsAgain, failsForGood)) {
            producer.send(message(session, body));
        }
        dead.add(failsForGood, turn);
        for (String body : List.of(comesAgain, failsAgain)) {
            session.awaitIn("SCHEDULE_TOPIC_XXXX", 20, message -> Received.text(message).equals(body)
                && session.topic().equals(message.getProperty("RETRY_TOPIC")));
        }
        awaitDead(session, producer, turn);
        consumer.shutdown();
        List<MessageExt> early = read(session, producer, retryTopic(session));
        that(early.stream().noneMatch(message -> Set.of(comesAgain, failsAgain).contains(Received.text(message))),
            "the delay of a retry was over before the move");
    }

    @Override
    public String found(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.topicWith(producer, 1, false);
        RetryChecks.awaitRoute(producer, retryTopic(session));
        RetryChecks.awaitRoute(producer, deadTopic(session));
        dead.check(read(session, producer, deadTopic(session)), turn);
        Set<String> wanted = new TreeSet<>(Set.of(comesAgain, failsAgain));
        List<MessageExt> again = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = consumer(session, (batch, context) -> {
            MessageExt message = batch.get(0);
            // A killed broker may have forgotten what was consumed; what it gives again is consumed now.
            if (message.getReconsumeTimes() == 0 || !wanted.contains(Received.text(message))) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            again.add(message);
            return Received.text(message).equals(failsAgain)
                ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        Session.await("the retries " + wanted, 40, () -> bodies(again).equals(wanted));
        for (MessageExt message : again) {
            equal(1, message.getReconsumeTimes(), "reconsume times");
            equal(session.topic(), message.getTopic(), "topic");
            checkContent(message);
        }
        equal(wanted.size(), again.size(), "retries, each delivered once");
        dead.add(failsAgain, turn);
        awaitDead(session, producer, turn);
        for (MessageExt message : read(session, producer, deadTopic(session))) {
            equal(session.topic(), message.getProperty("RETRY_TOPIC"), "RETRY_TOPIC of a dead letter");
            checkContent(message);
        }
        consumer.shutdown();
        return again.size() + " retries, one of them in vain";
    }

    private void awaitDead(Session session, DefaultMQProducer producer, Moved.Turn turn) throws Exception {
        Session.eventually("the dead letters", 20, () -> dead.complete(read(session, producer, deadTopic(session))));
        dead.check(read(session, producer, deadTopic(session)), turn);
    }

    private static List<MessageExt> read(Session session, DefaultMQProducer producer, String topic) throws Exception {
        MessageQueue queue = producer.fetchPublishMessageQueues(topic).get(0);
        return Session.readAll(session.pullConsumer(session.newInstance()), queue);
    }

    private static DefaultMQPushConsumer consumer(Session session, MessageListenerConcurrently listener) throws Exception {
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.setMaxReconsumeTimes(MAX_RETRIES);
        consumer.subscribe(session.topic(), "*");
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }

    private static Message message(Session session, String body) {
        Message message = session.message("T", body);
        message.setKeys("key of it");
        message.putUserProperty("own", body);
        return message;
    }

    private static void checkContent(MessageExt message) {
        equal("T", message.getTags(), "tags");
        equal("key of it", message.getKeys(), "keys");
        equal(Received.text(message), message.getUserProperty("own"), "user property");
    }

    private static Set<String> bodies(List<MessageExt> messages) {
        return new TreeSet<>(messages.stream().map(Received::text).toList());
    }

    private static String retryTopic(Session session) {
        return "%RETRY%" + session.group();
    }

    private static String deadTopic(Session session) {
        return "%DLQ%" + session.group();
    }
}
