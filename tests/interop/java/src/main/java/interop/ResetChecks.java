package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.admin.ConsumeStats;
import org.apache.rocketmq.common.admin.OffsetWrapper;
import org.apache.rocketmq.common.admin.RollbackStats;
import org.apache.rocketmq.common.admin.TopicOffset;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.body.QueueTimeSpan;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What an administrator sees of a group's progress, and does to it. */
final class ResetChecks {
    private static final int CONSUMER_NOT_ONLINE = 206;
    private static final int SYSTEM_ERROR = 1;
    /** A client waits 10 s before it begins at its new offsets. */
    private static final int RESET_WITHIN_S = 40;

    static void run(Checks checks) {
        checks.start("reset_online", ResetChecks::online);
        checks.start("reset_online_skip", ResetChecks::onlineSkip);
        checks.start("reset_online_unforced", ResetChecks::onlineUnforced);
        checks.start("reset_offline", ResetChecks::offline);
        checks.start("clone_offsets", ResetChecks::cloneOffsets);
        checks.start("consume_stats", ResetChecks::consumeStats);
        checks.start("topic_stats", ResetChecks::topicStats);
    }

    /** A running group is sent back to a time: it consumes again what was stored since. */
    static String online(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        Received received = new Received();
        DefaultMQPushConsumer consumer = ConsumeChecks.consumer(session, "*", received);
        ConsumeChecks.send(session, producer, "", 0, 10);
        received.await(10, 20);
        // The times of before and after have to differ.
        Thread.sleep(50);
        long between = System.currentTimeMillis();
        Thread.sleep(50);
        ConsumeChecks.send(session, producer, "", 10, 30);
        received.await(30, 20);
        DefaultMQAdminExt admin = session.admin();
        awaitProgress(session, admin, consumer, 30);
        received.messages.clear();
        Map<MessageQueue, Long> targets = admin.resetOffsetByTimestamp(session.topic(), session.group(), between, true);
        equal(2, targets.size(), "queues that are reset");
        // The search gives the message next to the time, which may be the one before it.
        long again = 30 - targets.values().stream().mapToLong(Long::longValue).sum();
        that(again >= 20 && again <= 22, again + " messages are to come again");
        received.await((int) again, RESET_WITHIN_S);
        that(received.bodies().keySet().containsAll(List.of("message 10", "message 29")), "came again: " + received.bodies());
        awaitProgress(session, admin, consumer, 30);
        return again + " messages again";
    }

    /** A running group is sent to the end, past what it has not consumed. */
    static String onlineSkip(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        DefaultMQAdminExt admin = session.admin();
        Received received = backlog(session, producer, admin);
        equal(Map.of(queue, 500L), admin.resetOffsetByTimestamp(session.topic(), session.group(), -1, true), "target");
        ConsumeChecks.send(session, producer, "", 500, 501);
        Session.await("the message behind the backlog", RESET_WITHIN_S, () -> received.bodies().containsKey("message 500"));
        that(received.messages.size() < 100, received.messages.size() + " messages of 501 came");
        return "";
    }

    /** Without force a group is never moved forward. */
    static String onlineUnforced(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        DefaultMQAdminExt admin = session.admin();
        backlog(session, producer, admin);
        long target = admin.resetOffsetByTimestamp(session.topic(), session.group(), -1, false).get(queue);
        that(target >= 1 && target < 100, "target " + target);
        return "";
    }

    /** A consumer that has seen the first of 500 messages and then stopped pulling. */
    private static Received backlog(Session session, DefaultMQProducer producer, DefaultMQAdminExt admin) throws Exception {
        Received received = new Received();
        DefaultMQPushConsumer consumer = ConsumeChecks.consumer(session, "*", received);
        ConsumeChecks.send(session, producer, "", 0, 1);
        received.await(1, 20);
        awaitProgress(session, admin, consumer, 1);
        consumer.suspend();
        ConsumeChecks.send(session, producer, "", 1, 500);
        session.awaitStored(producer, 500);
        return received;
    }

    static String offline(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        List<MessageQueue> queues = session.createTopic(producer, 1);
        DefaultMQAdminExt admin = session.admin();
        ConsumeChecks.send(session, producer, "", 0, 20);
        equal(SYSTEM_ERROR, resetRefusal(session, admin, "THe consumer group <" + session.group() + "> not exist"),
            "code for a group without offsets");
        Received before = new Received();
        DefaultMQPushConsumer consumer = ConsumeChecks.consumer(session, "*", before);
        before.await(20, 20);
        awaitProgress(session, admin, consumer, 20);
        consumer.shutdown();
        equal(CONSUMER_NOT_ONLINE, resetRefusal(session, admin, "Consumer not online, so can not reset offset, Group: "
            + session.group() + " Topic: " + session.topic() + " Timestamp: 0"), "code for a group that is away");
        List<RollbackStats> stats = admin.resetOffsetByTimestampOld(session.group(), session.topic(), 0, true);
        equal(1, stats.size(), "queues that are reset");
        equal(20L, stats.get(0).getConsumerOffset(), "offset before");
        equal(20L, stats.get(0).getBrokerOffset(), "max offset");
        equal(0L, stats.get(0).getRollbackOffset(), "offset after");
        admin.updateConsumeOffset(session.options().broker(), session.group(), queues.get(0), 15);
        Received after = new Received();
        ConsumeChecks.consumer(session, "*", after);
        after.await(5, 20);
        equal("message 15", after.bodies().firstKey(), "first message after the restart");
        equal(5, after.messages.size(), "messages after the restart");
        return "";
    }

    static String cloneOffsets(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        DefaultMQPushConsumer consumer = ConsumeChecks.consumed(session, producer, 20);
        DefaultMQAdminExt admin = session.admin();
        awaitProgress(session, admin, consumer, 20);
        consumer.shutdown();
        ConsumeChecks.send(session, producer, "", 20, 25);
        String clone = session.group() + "_CLONE";
        admin.cloneGroupOffset(session.group(), clone, session.topic(), true);
        Received after = new Received();
        DefaultMQPushConsumer other = session.pushConsumer(clone);
        ConsumeChecks.subscribe(session, other, "*", after);
        after.await(5, 20);
        equal("message 20", after.bodies().firstKey(), "first message of the clone");
        equal(5, after.messages.size(), "messages of the clone");
        return "";
    }

    static String consumeStats(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        List<MessageQueue> queues = session.createTopic(producer, 2);
        ConsumeChecks.send(session, producer, "", 0, 20);
        Received received = new Received();
        DefaultMQPushConsumer consumer = ConsumeChecks.consumer(session, "*", received);
        received.await(20, 20);
        DefaultMQAdminExt admin = session.admin();
        awaitProgress(session, admin, consumer, 20);
        consumer.shutdown();
        ConsumeChecks.send(session, producer, "", 20, 26);
        session.awaitStored(producer, 26);
        ConsumeStats stats = admin.examineConsumeStats(session.group(), session.topic());
        equal(Set.copyOf(queues), stats.getOffsetTable().keySet(), "queues");
        equal(6L, stats.computeTotalDiff(), "messages behind");
        Map<Integer, Long> lastConsumed = lastStoreTimes(received);
        List<QueueTimeSpan> spans = admin.queryConsumeTimeSpan(session.topic(), session.group());
        equal(2, spans.size(), "time spans");
        for (QueueTimeSpan span : spans) {
            OffsetWrapper offsets = stats.getOffsetTable().get(span.getMessageQueue());
            long consumedTime = lastConsumed.get(span.getMessageQueue().getQueueId());
            equal(10L, offsets.getConsumerOffset(), "consumer offset");
            equal(13L, offsets.getBrokerOffset(), "broker offset");
            equal(consumedTime, offsets.getLastTimestamp(), "time of the last message consumed");
            equal(consumedTime, span.getConsumeTimeStamp(), "time of the last message consumed, of the span");
            that(span.getMinTimeStamp() <= consumedTime && consumedTime <= span.getMaxTimeStamp(), "span " + span);
            that(span.getDelayTime() >= 0 && span.getDelayTime() < 60_000, "delay " + span.getDelayTime());
        }
        return "";
    }

    static String topicStats(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 3);
        for (int number = 0; number < 10; number++) {
            int queue = number % 2;
            producer.send(session.message("message"), (queues, message, none) -> queues.get(queue), null);
        }
        session.awaitStored(producer, 10);
        HashMap<MessageQueue, TopicOffset> table = session.admin().examineTopicStats(session.topic()).getOffsetTable();
        equal(3, table.size(), "queues");
        table.forEach((queue, offsets) -> {
            boolean used = queue.getQueueId() < 2;
            equal(0L, offsets.getMinOffset(), "min offset");
            equal(used ? 5L : 0L, offsets.getMaxOffset(), "max offset");
            long age = System.currentTimeMillis() - offsets.getLastUpdateTimestamp();
            that(used ? age < 60_000 : offsets.getLastUpdateTimestamp() == 0, "last update, ms ago: " + age);
        });
        return "";
    }

    private static Map<Integer, Long> lastStoreTimes(Received received) {
        Map<Integer, Long> times = new HashMap<>();
        for (MessageExt message : received.messages) {
            times.merge(message.getQueueId(), message.getStoreTimestamp(), Math::max);
        }
        return times;
    }

    /** Until the broker has been told that the group has consumed so many; a client tells it every few seconds. */
    static void awaitProgress(Session session, DefaultMQAdminExt admin, DefaultMQPushConsumer consumer, long count)
        throws InterruptedException {
        Session.eventually("stored progress of " + count, 30, () -> {
            consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
            return admin.examineConsumeStats(session.group(), session.topic()).getOffsetTable().values().stream()
                .mapToLong(OffsetWrapper::getConsumerOffset).sum() == count;
        });
    }

    private static int resetRefusal(Session session, DefaultMQAdminExt admin, String text) throws Exception {
        try {
            throw new AssertionError("reset: " + admin.resetOffsetByTimestamp(session.topic(), session.group(), 0, true));
        } catch (MQClientException refused) {
            that(refused.getErrorMessage().contains(text), "text: " + refused.getErrorMessage());
            return refused.getResponseCode();
        }
    }
}
