package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumers that ask for themselves. */
final class PullChecks {
    static void run(Checks checks) {
        checks.run("lite_pull_subscribe", PullChecks::liteSubscribe);
        checks.run("lite_pull_assign_seek", PullChecks::liteAssign);
        checks.run("pull_consumer", PullChecks::pull);
        checks.run("pull_statuses", PullChecks::statuses);
        checks.run("pull_blocks", PullChecks::blocks);
    }

    static String liteSubscribe(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        ConsumeChecks.send(session, producer, "A", 0, 100);
        DefaultLitePullConsumer consumer = session.litePullConsumer();
        consumer.subscribe(session.topic(), "A");
        consumer.start();
        Set<String> bodies = poll(consumer, 100);
        equal(100, bodies.size(), "different messages");
        // What was consumed is committed to the broker and read back from it.
        consumer.shutdown();
        DefaultLitePullConsumer again = session.litePullConsumer();
        again.subscribe(session.topic(), "A");
        again.start();
        ConsumeChecks.send(session, producer, "A", 100, 110);
        equal(10, poll(again, 10).size(), "messages after the restart");
        return "";
    }

    static String liteAssign(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        ConsumeChecks.send(session, producer, "", 0, 20);
        session.awaitStored(producer, 20);
        DefaultLitePullConsumer consumer = session.litePullConsumer();
        consumer.setAutoCommit(false);
        consumer.start();
        MessageQueue queue = consumer.fetchMessageQueues(session.topic()).iterator().next();
        consumer.assign(List.of(queue));
        // A client of 4.9.7 hands on what a pull brings that is answered while it seeks, so each seek comes when all is
        // read and its pull waits at the end of the queue.
        equal(20, poll(consumer, 20).size(), "messages from the beginning");
        consumer.seek(queue, 15);
        Set<String> tail = poll(consumer, 5);
        that(tail.contains("message 15") && tail.size() == 5, "from offset 15: " + tail);
        consumer.seekToBegin(queue);
        that(poll(consumer, 20).contains("message 0"), "seekToBegin does not begin at the first message");
        consumer.seekToEnd(queue);
        ConsumeChecks.send(session, producer, "", 20, 21);
        equal(Set.of("message 20"), poll(consumer, 1), "after seekToEnd");
        return "";
    }

    static String pull(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        ConsumeChecks.send(session, producer, "", 0, 100);
        session.awaitStored(producer, 100);
        DefaultMQPullConsumer consumer = session.pullConsumer(session.newInstance());
        Set<String> bodies = new HashSet<>();
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(session.topic())) {
            long offset = consumer.fetchConsumeOffset(queue, true);
            PullResult result = consumer.pull(queue, "*", Math.max(offset, 0), 32);
            while (result.getPullStatus() == PullStatus.FOUND) {
                result.getMsgFoundList().forEach(message -> bodies.add(Received.text(message)));
                offset = result.getNextBeginOffset();
                result = consumer.pull(queue, "*", offset, 32);
            }
            equal(PullStatus.NO_NEW_MSG, result.getPullStatus(), "status at the end");
            consumer.updateConsumeOffset(queue, offset);
            consumer.getDefaultMQPullConsumerImpl().getOffsetStore().persist(queue);
            long pulled = offset;
            // The update travels one way: it is there when it can be read.
            Session.await("stored offset " + pulled, 5, () -> storedOffset(consumer, queue) == pulled);
        }
        equal(100, bodies.size(), "different messages");
        return "";
    }

    static String statuses(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        ConsumeChecks.send(session, producer, "A", 0, 10);
        session.awaitStored(producer, 10);
        DefaultMQPullConsumer consumer = session.pullConsumer(session.newInstance());
        PullResult found = consumer.pull(queue, "A", 3, 4);
        equal(PullStatus.FOUND, found.getPullStatus(), "status");
        equal(4, found.getMsgFoundList().size(), "messages, four asked for");
        equal("message 3", Received.text(found.getMsgFoundList().get(0)), "first message from offset 3");
        equal(7L, found.getNextBeginOffset(), "next offset");
        equal(0L, found.getMinOffset(), "min offset");
        equal(10L, found.getMaxOffset(), "max offset");
        PullResult unmatched = consumer.pull(queue, "other", 0, 32);
        equal(PullStatus.NO_MATCHED_MSG, unmatched.getPullStatus(), "status with another tag");
        equal(10L, unmatched.getNextBeginOffset(), "next offset with another tag");
        PullResult beyond = consumer.pull(queue, "*", 50, 32);
        equal(PullStatus.OFFSET_ILLEGAL, beyond.getPullStatus(), "status beyond the end");
        equal(10L, beyond.getNextBeginOffset(), "next offset beyond the end");
        return "";
    }

    /** A pull at the end of a queue is answered when a message comes. */
    static String blocks(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        DefaultMQPullConsumer consumer = session.pullConsumer(session.newInstance());
        Thread sender = new Thread(() -> {
            try {
                Thread.sleep(500);
                producer.send(session.message("late"));
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        });
        sender.start();
        long start = System.nanoTime();
        PullResult result = consumer.pullBlockIfNotFound(queue, "*", 0, 32);
        long millis = (System.nanoTime() - start) / 1_000_000;
        sender.join();
        equal(PullStatus.FOUND, result.getPullStatus(), "status");
        that(millis >= 450 && millis < 4_000, "answered after " + millis + " ms");
        return "held " + millis + " ms";
    }

    private static long storedOffset(DefaultMQPullConsumer consumer, MessageQueue queue) {
        try {
            return consumer.fetchConsumeOffset(queue, true);
        } catch (Exception error) {
            return -1;
        }
    }

    static Set<String> poll(DefaultLitePullConsumer consumer, int count) {
        Set<String> bodies = new HashSet<>();
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (bodies.size() < count && System.nanoTime() < deadline) {
            for (MessageExt message : consumer.poll(500)) {
                bodies.add(Received.text(message));
            }
        }
        return bodies;
    }
}
