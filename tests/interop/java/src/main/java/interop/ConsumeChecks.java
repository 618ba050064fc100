package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.store.OffsetStore;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.protocol.heartbeat.MessageModel;

/** Push consumers. */
final class ConsumeChecks {
    static void run(Checks checks) {
        checks.run("push_all", ConsumeChecks::all);
        checks.run("push_tag_filter", ConsumeChecks::tagFilter);
        checks.run("push_long_poll", ConsumeChecks::longPoll);
        checks.run("push_broadcast", ConsumeChecks::broadcast);
        checks.run("push_offsets_survive", ConsumeChecks::offsetsSurvive);
    }

    /** A backlog that was there before the consumer: each message once, with its offsets. */
    static String all(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        send(session, producer, "*", 0, 500);
        Received received = new Received();
        consumer(session, "*", received);
        received.await(500, 20);
        equal(500, received.bodies().size(), "different messages");
        for (MessageExt message : received.messages) {
            that(message.getMsgId() != null && message.getQueueOffset() < 500, "odd offset in " + message);
            that(message.getProperty("MAX_OFFSET") != null, "MAX_OFFSET is missing in " + message);
        }
        return "";
    }

    static String tagFilter(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        Received received = new Received();
        consumer(session, "A || C", received);
        for (int number = 0; number < 60; number++) {
            producer.send(session.message(List.of("A", "B", "C").get(number % 3), "tagged " + number));
        }
        received.await(40, 20);
        // A marker behind the last message in each queue shows that everything before it has been passed.
        for (int queue = 0; queue < 2; queue++) {
            int wanted = queue;
            producer.send(session.message("A", "marker " + queue), (queues, message, none) -> queues.get(wanted), null);
        }
        received.await(42, 20);
        equal(42, received.messages.size(), "messages");
        for (MessageExt message : received.messages) {
            that(!"B".equals(message.getTags()), "tag B was delivered");
        }
        return "";
    }

    /** A waiting consumer gets a message when it is sent, not at the next poll. */
    static String longPoll(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        Received received = new Received();
        consumer(session, "*", received);
        producer.send(session.message("warm 0"));
        producer.send(session.message("warm 1"));
        received.await(2, 30);
        List<Long> millis = new ArrayList<>();
        for (int number = 0; number < 20; number++) {
            // Long enough for the consumer's next pull to be waiting in the broker.
            Thread.sleep(50);
            long start = System.nanoTime();
            producer.send(session.message("polled " + number));
            received.await(3 + number, 10);
            millis.add((System.nanoTime() - start) / 1_000_000);
        }
        Collections.sort(millis);
        that(millis.get(10) < 500, "median from send to receipt: " + millis.get(10) + " ms");
        return "send to receipt: median " + millis.get(10) + " ms, max " + millis.get(19) + " ms";
    }

    static String broadcast(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        Received first = new Received();
        Received second = new Received();
        for (Received received : List.of(first, second)) {
            DefaultMQPushConsumer consumer = session.pushConsumer();
            consumer.setMessageModel(MessageModel.BROADCASTING);
            subscribe(session, consumer, "*", received);
        }
        send(session, producer, "*", 0, 40);
        first.await(40, 20);
        second.await(40, 20);
        equal(40, first.bodies().size(), "different messages at the first");
        equal(40, second.bodies().size(), "different messages at the second");
        return "";
    }

    static String offsetsSurvive(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        send(session, producer, "*", 0, 40);
        Received before = new Received();
        DefaultMQPushConsumer leaving = consumer(session, "*", before);
        before.await(40, 20);
        // A message counts as received while its listener still runs; its offset is noted after that.
        OffsetStore offsets = leaving.getDefaultMQPushConsumerImpl().getOffsetStore();
        Session.await("the offsets of 40 messages", 20, () -> offsets.cloneOffsetTable(session.topic()).values()
            .stream().mapToLong(Long::longValue).sum() == 40);
        leaving.shutdown();
        send(session, producer, "*", 40, 50);
        Received after = new Received();
        consumer(session, "*", after);
        after.await(10, 30);
        equal(10, after.messages.size(), "messages after the restart");
        that("message 40".equals(after.bodies().firstKey()), "began at " + after.bodies().firstKey());
        return "";
    }

    static DefaultMQPushConsumer consumer(Session session, String tags, Received received) throws Exception {
        DefaultMQPushConsumer consumer = session.pushConsumer();
        subscribe(session, consumer, tags, received);
        return consumer;
    }

    /** A consumer of the group that was given so many new messages, and all of them. */
    static DefaultMQPushConsumer consumed(Session session, DefaultMQProducer producer, int count) throws Exception {
        send(session, producer, "", 0, count);
        Received received = new Received();
        DefaultMQPushConsumer consumer = consumer(session, "*", received);
        received.await(count, 20);
        return consumer;
    }

    /** Sends {@code message N} for N from (inclusive) to (exclusive). */
    static void send(Session session, DefaultMQProducer producer, String tags, int from, int to) throws Exception {
        for (int number = from; number < to; number++) {
            producer.send(session.message(tags, "message " + number));
        }
    }

    static void subscribe(Session session, DefaultMQPushConsumer consumer, String tags, Received received)
        throws Exception {
        consumer.subscribe(session.topic(), tags);
        consumer.registerMessageListener(received);
        consumer.start();
    }
}
