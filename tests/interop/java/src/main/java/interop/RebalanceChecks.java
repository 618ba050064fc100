package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;

/** Two consumers of one group share the queues, and take over from each other. */
final class RebalanceChecks {
    /**
     * A client looks for changes by itself every 20 s. That a consumer reacts sooner shows that the broker notified
     * the group.
     */
    private static final int NOTIFIED_WITHIN_S = 15;

    static void run(Checks checks) {
        checks.run("rebalance_two_consumers", RebalanceChecks::twoConsumers);
    }

    static String twoConsumers(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 8);
        Received byFirst = new Received();
        Received bySecond = new Received();
        DefaultMQPushConsumer first = ConsumeChecks.consumer(session, "*", byFirst);
        awaitQueues(session, "first alone", first, 8);

        long joined = System.nanoTime();
        DefaultMQPushConsumer second = ConsumeChecks.consumer(session, "*", bySecond);
        awaitQueues(session, "second after joining", second, 4);
        awaitQueues(session, "first after the second joined", first, 4);
        long splitMillis = (System.nanoTime() - joined) / 1_000_000;

        ConsumeChecks.send(session, producer, "*", 0, 80);
        byFirst.await(40, 20);
        bySecond.await(40, 20);
        equal(40, byFirst.messages.size(), "messages of the first");
        equal(40, bySecond.messages.size(), "messages of the second");

        long left = System.nanoTime();
        second.shutdown();
        awaitQueues(session, "first after the second left", first, 8);
        long takenOverMillis = (System.nanoTime() - left) / 1_000_000;
        ConsumeChecks.send(session, producer, "*", 80, 120);
        byFirst.await(80, 20);
        that(byFirst.bodies().keySet().stream().noneMatch(bySecond.bodies()::containsKey), "a message came to both");
        return "split after " + splitMillis + " ms, taken over after " + takenOverMillis + " ms";
    }

    private static void awaitQueues(Session session, String who, DefaultMQPushConsumer consumer, int count)
        throws InterruptedException {
        Session.await(count + " queues: " + who, NOTIFIED_WITHIN_S, () -> queues(session, consumer) == count);
    }

    static long queues(Session session, DefaultMQPushConsumer consumer) {
        return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
            .filter(queue -> queue.getTopic().equals(session.topic()))
            .count();
    }
}
