package interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** The clients, topic and groups of one check. Closing it shuts down every client that it made. */
final class Session implements AutoCloseable {
    private static final AtomicInteger INSTANCES = new AtomicInteger();

    private final Options options;
    private final String name;
    private final Deque<Runnable> closers = new ArrayDeque<>();

    Session(Options options, String name) {
        this.options = options;
        this.name = name;
    }

    Options options() {
        return options;
    }

    String topic() {
        return "interop_" + options.runId() + "_" + name;
    }

    String group() {
        return "G_" + topic();
    }

    /** A second topic of the same check. */
    String topic(String part) {
        return topic() + "_" + part;
    }

    Message message(String text) {
        return message("", text);
    }

    Message message(String tags, String text) {
        return new Message(topic(), tags, text.getBytes(StandardCharsets.UTF_8));
    }

    /** The topic with exactly this many queues, made through the broker and known to the name server. */
    List<MessageQueue> createTopic(DefaultMQProducer producer, int queues) throws Exception {
        producer.createTopic("TBW102", topic(), queues);
        List<MessageQueue> found = new ArrayList<>();
        await("the route of " + topic(), 10, () -> {
            found.clear();
            found.addAll(publishQueues(producer));
            return found.size() == queues;
        });
        return found;
    }

    DefaultMQProducer producer() throws MQClientException {
        return producer(newInstance());
    }

    /** Clients with the same instance name share one connection to the broker. */
    DefaultMQProducer producer(String instance) throws MQClientException {
        DefaultMQProducer producer = new DefaultMQProducer(group() + "_P");
        address(producer, instance);
        producer.start();
        closers.push(producer::shutdown);
        return producer;
    }

    /** A clustered consumer that begins at the oldest message; not started. */
    DefaultMQPushConsumer pushConsumer() {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group());
        address(consumer, newInstance());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        closers.push(consumer::shutdown);
        return consumer;
    }

    DefaultLitePullConsumer litePullConsumer() {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group());
        address(consumer, newInstance());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        closers.push(consumer::shutdown);
        return consumer;
    }

    DefaultMQPullConsumer pullConsumer(String instance) throws MQClientException {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(group() + "_PULL");
        address(consumer, instance);
        consumer.start();
        closers.push(consumer::shutdown);
        return consumer;
    }

    String newInstance() {
        return options.runId() + "-" + INSTANCES.incrementAndGet();
    }

    /** How many messages the topic holds now. */
    long stored(DefaultMQProducer producer) throws MQClientException {
        long sum = 0;
        for (MessageQueue queue : producer.fetchPublishMessageQueues(topic())) {
            sum += producer.maxOffset(queue) - producer.minOffset(queue);
        }
        return sum;
    }

    /** A broker may answer a send a moment before a reader of the queue sees the message. */
    void awaitStored(DefaultMQProducer producer, long count) throws InterruptedException {
        await(count + " stored messages", 10, () -> {
            try {
                return stored(producer) == count;
            } catch (MQClientException notYet) {
                return false;
            }
        });
    }

    /** Polls until the condition holds; what happens elsewhere cannot be waited for in any other way. */
    static void await(String what, int seconds, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + seconds * 1_000_000_000L;
        while (!condition.getAsBoolean()) {
            Checks.that(System.nanoTime() < deadline, what + ": not seen within " + seconds + " s");
            Thread.sleep(1);
        }
    }

    @Override
    public void close() {
        closers.forEach(Runnable::run);
    }

    private List<MessageQueue> publishQueues(DefaultMQProducer producer) {
        try {
            return producer.fetchPublishMessageQueues(topic());
        } catch (MQClientException notYet) {
            return List.of();
        }
    }

    private void address(ClientConfig client, String instance) {
        client.setNamesrvAddr(options.namesrv());
        client.setInstanceName(instance);
        // The default of 30 s is for production; a check that waits for a route should not take that long.
        client.setPollNameServerInterval(1_000);
    }
}
