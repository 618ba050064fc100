package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages with a delay level. */
final class DelayChecks {
    private static final String SCHEDULE_TOPIC = "SCHEDULE_TOPIC_XXXX";
    private static final Map<Integer, Long> DELAY_MS = Map.of(1, 1_000L, 2, 5_000L);
    /** The Java broker looks at a level every 100 ms; the rest is for a busy machine. */
    private static final long LATE_LIMIT_MS = 2_000;

    static void run(Checks checks) {
        checks.start("delay_levels", DelayChecks::levels);
        checks.start("delay_tag_filter", DelayChecks::tagFilter);
        checks.start("delay_level_capped", DelayChecks::capped);
        checks.start("delay_none", DelayChecks::none);
    }

    /** A message as its listener got it, and when. */
    private record Arrival(MessageExt message, long millis) {
        int level() {
            return message.getDelayTimeLevel();
        }
    }

    /** Two levels mixed: each message on its queue, in the order of its level, late by little and never early. */
    static String levels(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        List<Arrival> arrivals = consume(session);
        producer.send(session.message("first"));
        Session.await("a message without delay", 20, () -> arrivals.size() == 1);
        for (int number = 0; number < 20; number++) {
            Message message = session.message("T", "delayed " + number / 2);
            message.setKeys("key" + number);
            message.putUserProperty("own", "value " + number);
            message.setDelayTimeLevel(number % 2 + 1);
            int queue = number % 4;
            SendResult result = producer.send(message, (queues, sent, none) -> queues.get(queue), null);
            equal(queue, result.getMessageQueue().getQueueId(), "queue in the answer");
        }
        equal(1L, session.stored(producer), "stored messages before the delay is over");
        Session.await("20 delayed messages", 20, () -> arrivals.size() == 21);
        StringBuilder detail = new StringBuilder();
        for (int level : List.of(1, 2)) {
            detail.append(checkLevel(session, level, arrivals.stream().filter(arrival -> arrival.level() == level).toList()));
        }
        return detail.substring(2);
    }

    private static String checkLevel(Session session, int level, List<Arrival> arrivals) {
        equal(10, arrivals.size(), "messages of level " + level);
        List<Arrival> stored = arrivals.stream()
            .sorted(Comparator.comparing(arrival -> arrival.message().getCommitLogOffset())).toList();
        long latest = 0;
        for (int position = 0; position < 10; position++) {
            MessageExt message = stored.get(position).message();
            int number = position * 2 + level - 1;
            equal("delayed " + position, Received.text(message), "body at position " + position + " of level " + level);
            equal(session.topic(), message.getTopic(), "topic");
            equal(number % 4, message.getQueueId(), "queue");
            equal("T", message.getTags(), "tags");
            equal("key" + number, message.getKeys(), "keys");
            equal("value " + number, message.getUserProperty("own"), "user property");
            equal(session.topic(), message.getProperty("REAL_TOPIC"), "REAL_TOPIC");
            equal(Integer.toString(number % 4), message.getProperty("REAL_QID"), "REAL_QID");
            equal(0, message.getReconsumeTimes(), "reconsume times");
            long after = message.getStoreTimestamp() - message.getBornTimestamp();
            that(after >= DELAY_MS.get(level), "level " + level + " was stored after " + after + " ms");
            latest = Math.max(latest, stored.get(position).millis() - message.getBornTimestamp() - DELAY_MS.get(level));
        }
        that(latest < LATE_LIMIT_MS, "level " + level + " came " + latest + " ms late");
        return ", level " + level + " at most " + latest + " ms late";
    }

    /** The broker filters by the tag of the message although its place in the schedule has no room for one. */
    static String tagFilter(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        for (String tag : List.of("A", "B", "A")) {
            Message message = session.message(tag, "tagged " + tag);
            message.setDelayTimeLevel(1);
            producer.send(message);
        }
        session.awaitStored(producer, 3);
        Received received = new Received();
        ConsumeChecks.consumer(session, "A", received);
        producer.send(session.message("A", "marker"));
        received.await(3, 20);
        equal(Map.of("tagged A", 2, "marker", 1), received.bodies(), "messages with tag A");
        return "";
    }

    /** Level 19 and all above are level 18, two hours; seen by looking at what is stored. */
    static String capped(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        for (int level : List.of(18, 19, 1_000)) {
            Message message = session.message("far");
            message.setDelayTimeLevel(level);
            SendResult result = producer.send(message, (queues, sent, none) -> queues.get(3), null);
            MessageExt stored = producer.viewMessage(session.topic(), result.getOffsetMsgId());
            equal(SCHEDULE_TOPIC, stored.getTopic(), "topic of level " + level);
            equal(17, stored.getQueueId(), "queue of level " + level);
            equal(result.getQueueOffset(), stored.getQueueOffset(), "queue offset of level " + level);
            equal("18", stored.getProperty("DELAY"), "DELAY of level " + level);
            equal(session.topic(), stored.getProperty("REAL_TOPIC"), "REAL_TOPIC of level " + level);
            equal("3", stored.getProperty("REAL_QID"), "REAL_QID of level " + level);
        }
        equal(0L, session.stored(producer), "stored messages");
        return "";
    }

    static String none(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        List<Arrival> arrivals = consume(session);
        for (int level : List.of(0, -1, -100)) {
            Message message = session.message("at once");
            message.setDelayTimeLevel(level);
            SendResult result = producer.send(message);
            MessageExt stored = producer.viewMessage(session.topic(), result.getOffsetMsgId());
            equal(session.topic(), stored.getTopic(), "topic of level " + level);
            equal(Integer.toString(level), stored.getProperty("DELAY"), "DELAY of level " + level);
            equal(null, stored.getProperty("REAL_TOPIC"), "REAL_TOPIC of level " + level);
        }
        Session.await("3 messages", 20, () -> arrivals.size() == 3);
        return "";
    }

    private static List<Arrival> consume(Session session) throws Exception {
        List<Arrival> arrivals = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.subscribe(session.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            List<Arrival> arrived = new ArrayList<>();
            batch.forEach(message -> arrived.add(new Arrival(message, System.currentTimeMillis())));
            arrivals.addAll(arrived);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return arrivals;
    }
}
