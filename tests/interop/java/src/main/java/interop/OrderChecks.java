package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.body.LockBatchRequestBody;
import org.apache.rocketmq.common.protocol.body.UnlockBatchRequestBody;

/** Consumers that take the messages of a queue one after the other. */
final class OrderChecks {
    private static final int QUEUES = 4;
    private static final int HANDED_OVER_WITHIN_S = 40;

    static void run(Checks checks) {
        // A client looks for queues that are free again every 20 s, and keeps one with cached messages for as long.
        System.setProperty("rocketmq.client.rebalance.waitInterval", "1000");
        System.setProperty("rocketmq.client.unlockDelayTimeMills", "1000");
        checks.start("order_across_rebalance", OrderChecks::acrossRebalance);
        checks.start("order_suspend", OrderChecks::suspend);
        checks.start("order_given_up", OrderChecks::givenUp);
        checks.start("order_lock", OrderChecks::lock);
    }

    /** What the consumers of one group got from each queue, in the order in which their listeners were called. */
    private static final class Log {
        private record Entry(int consumer, int number) {
        }

        final AtomicInteger different = new AtomicInteger();
        final List<String> troubles = new CopyOnWriteArrayList<>();
        private final Map<Integer, List<Entry>> queues = new ConcurrentHashMap<>();
        private final Set<Integer> busy = ConcurrentHashMap.newKeySet();

        MessageListenerOrderly listener(int consumer) {
            return (batch, context) -> {
                for (MessageExt message : batch) {
                    take(consumer, message.getQueueId(), Integer.parseInt(Received.text(message)));
                }
                return ConsumeOrderlyStatus.SUCCESS;
            };
        }

        private void take(int consumer, int queue, int number) {
            if (!busy.add(queue)) {
                troubles.add("queue " + queue + " was consumed twice at the same time");
            }
            List<Entry> entries = queues.computeIfAbsent(queue, none -> new CopyOnWriteArrayList<>());
            int next = entries.stream().mapToInt(Entry::number).max().orElse(-1) + 1;
            // Who takes a queue over may get again what was being consumed when it changed hands.
            boolean again = number < next && entries.get(entries.size() - 1).consumer() != consumer;
            if (number == next) {
                different.incrementAndGet();
            } else if (!again) {
                troubles.add("queue " + queue + ": message " + number + " came to consumer " + consumer + ", not " + next);
            }
            entries.add(new Entry(consumer, number));
            busy.remove(queue);
        }

        long of(int consumer) {
            return queues.values().stream().flatMap(List::stream).filter(entry -> entry.consumer() == consumer).count();
        }
    }

    /** The order of each queue holds while a second consumer joins, takes half of the queues, and leaves again. */
    static String acrossRebalance(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, QUEUES);
        Log log = new Log();
        DefaultMQPushConsumer first = consumer(session, log.listener(1));
        int sent = sendUntil(session, producer, 0, "messages of the first", () -> log.of(1) >= 100);
        DefaultMQPushConsumer second = consumer(session, log.listener(2));
        // A queue whose lock the first has not given back when the second asks comes at its next rebalance, after the other one.
        sent = sendUntil(session, producer, sent, "messages of the second, and half of the queues at each",
            () -> log.of(2) >= 100 && RebalanceChecks.queues(session, first) == 2
                && RebalanceChecks.queues(session, second) == 2);
        second.shutdown();
        sent = sendUntil(session, producer, sent, "all queues back at the first",
            () -> RebalanceChecks.queues(session, first) == QUEUES);
        long behind = log.of(1) + 100;
        int all = sendUntil(session, producer, sent, "more messages of the first", () -> log.of(1) >= behind);
        Session.await(all + " messages in order", HANDED_OVER_WITHIN_S,
            () -> log.different.get() == all || !log.troubles.isEmpty());
        that(log.troubles.isEmpty(), log.troubles.toString());
        return all + " messages, " + log.of(1) + " + " + log.of(2) + " deliveries";
    }

    /** Sends each queue its own numbers until the condition holds; gives how many messages have been sent in all. */
    private static int sendUntil(Session session, DefaultMQProducer producer, int sent, String what,
        BooleanSupplier condition) throws Exception {
        long deadline = System.nanoTime() + HANDED_OVER_WITHIN_S * 1_000_000_000L;
        while (!condition.getAsBoolean()) {
            that(System.nanoTime() < deadline, what + ": not seen within " + HANDED_OVER_WITHIN_S + " s");
            int queue = sent % QUEUES;
            producer.send(session.message(Integer.toString(sent / QUEUES)),
                (queues, message, none) -> queues.get(queue), null);
            sent++;
            // A queue in which nothing waits changes hands at once.
            Thread.sleep(2);
        }
        return sent;
    }

    /** A message that fails is tried again before the next one comes. */
    static String suspend(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        ConsumeChecks.send(session, producer, "", 0, 5);
        List<String> deliveries = new CopyOnWriteArrayList<>();
        consumer(session, (batch, context) -> {
            MessageExt message = batch.get(0);
            deliveries.add(Received.text(message) + " / " + message.getReconsumeTimes());
            context.setSuspendCurrentQueueTimeMillis(100);
            boolean fails = Received.text(message).equals("message 2") && message.getReconsumeTimes() < 2;
            return fails ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        });
        Session.await("7 deliveries", 20, () -> deliveries.size() == 7);
        equal(List.of("message 0 / 0", "message 1 / 0", "message 2 / 0", "message 2 / 1", "message 2 / 2",
            "message 3 / 0", "message 4 / 0"), deliveries, "deliveries and their reconsume times");
        return "";
    }

    /** After its last try a message is on its way to the dead letters and the queue goes on. */
    static String givenUp(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        ConsumeChecks.send(session, producer, "", 0, 3);
        List<String> deliveries = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.setMaxReconsumeTimes(1);
        start(session, consumer, (batch, context) -> {
            deliveries.add(Received.text(batch.get(0)));
            context.setSuspendCurrentQueueTimeMillis(100);
            return Received.text(batch.get(0)).equals("message 1")
                ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        });
        Session.await("4 deliveries", 20, () -> deliveries.size() == 4);
        equal(List.of("message 0", "message 1", "message 1", "message 2"), deliveries, "deliveries");
        MessageExt waiting = RetryChecks.waiting(session, 1, 10);
        equal("message 1", Received.text(waiting), "body of the message that waits in the schedule");
        equal("%DLQ%" + session.group(), waiting.getProperty("REAL_TOPIC"), "REAL_TOPIC of the message that waits");
        return "";
    }

    /** A queue that another client of the group has locked is not consumed; only its owner unlocks it. */
    static String lock(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        List<MessageQueue> queues = session.createTopic(producer, 2);
        MQClientAPIImpl api = producer.getDefaultMQProducerImpl().getmQClientFactory().getMQClientAPIImpl();
        equal(Set.of(queues.get(0)), lock(session, api, "other", queues.subList(0, 1)), "locked by the other client");
        for (int queue = 0; queue < 2; queue++) {
            int wanted = queue;
            producer.send(session.message("queue " + queue), (all, message, none) -> all.get(wanted), null);
        }
        List<String> bodies = new CopyOnWriteArrayList<>();
        consumer(session, (batch, context) -> {
            batch.forEach(message -> bodies.add(Received.text(message)));
            return ConsumeOrderlyStatus.SUCCESS;
        });
        Session.await("the message of the free queue", 20, () -> !bodies.isEmpty());
        equal(Set.of(queues.get(0)), lock(session, api, "other", queues), "what the other client owns of both");
        unlock(session, api, "third", queues);
        equal(Set.of(), lock(session, api, "third", queues), "what a third client gets");
        equal(List.of("queue 1"), bodies, "messages while the other client holds a queue");
        unlock(session, api, "other", queues.subList(0, 1));
        Session.await("the message of the queue that was unlocked", 20, () -> bodies.size() == 2);
        equal(Set.of(), lock(session, api, "other", queues), "what the other client gets back");
        return "";
    }

    private static Set<MessageQueue> lock(Session session, MQClientAPIImpl api, String client, List<MessageQueue> queues)
        throws Exception {
        LockBatchRequestBody body = new LockBatchRequestBody();
        body.setConsumerGroup(session.group());
        body.setClientId(client);
        body.getMqSet().addAll(queues);
        return api.lockBatchMQ(session.options().broker(), body, 3_000);
    }

    private static void unlock(Session session, MQClientAPIImpl api, String client, List<MessageQueue> queues)
        throws Exception {
        UnlockBatchRequestBody body = new UnlockBatchRequestBody();
        body.setConsumerGroup(session.group());
        body.setClientId(client);
        body.getMqSet().addAll(queues);
        api.unlockBatchMQ(session.options().broker(), body, 3_000, false);
    }

    private static DefaultMQPushConsumer consumer(Session session, MessageListenerOrderly listener) throws Exception {
        DefaultMQPushConsumer consumer = session.pushConsumer();
        start(session, consumer, listener);
        return consumer;
    }

    private static void start(Session session, DefaultMQPushConsumer consumer, MessageListenerOrderly listener)
        throws Exception {
        consumer.subscribe(session.topic(), "*");
        consumer.registerMessageListener(listener);
        consumer.start();
    }
}
