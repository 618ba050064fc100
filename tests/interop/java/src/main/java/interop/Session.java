package interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

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

    /** One with the same topic and groups, that has to be closed by itself. */
    Session another() {
        return new Session(options, name);
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
        return topicWith(producer, queues, true);
    }

    /** The queues of the topic, made now or found as a broker has kept it. */
    List<MessageQueue> topicWith(DefaultMQProducer producer, int queues, boolean create) throws Exception {
        if (create) {
            producer.createTopic("TBW102", topic(), queues);
        }
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

    DefaultMQProducer producerIn(String namespace) throws MQClientException {
        DefaultMQProducer producer = new DefaultMQProducer(group() + "_P");
        producer.setNamespace(namespace);
        return started(producer);
    }

    DefaultMQProducer tracedProducer() throws MQClientException {
        return started(new DefaultMQProducer(group() + "_P", true));
    }

    private DefaultMQProducer started(DefaultMQProducer producer) throws MQClientException {
        address(producer, newInstance());
        producer.start();
        closers.push(producer::shutdown);
        return producer;
    }

    /** All of them are in one group, so that the broker may ask any of them about a transaction of another. */
    TransactionMQProducer transactionProducer(TransactionListener listener) throws MQClientException {
        TransactionMQProducer producer = new TransactionMQProducer(group() + "_T");
        address(producer, newInstance());
        producer.setTransactionListener(listener);
        producer.start();
        closers.push(producer::shutdown);
        return producer;
    }

    DefaultMQAdminExt admin() throws MQClientException {
        DefaultMQAdminExt admin = new DefaultMQAdminExt();
        address(admin, newInstance());
        admin.start();
        closers.push(admin::shutdown);
        return admin;
    }

    /** A clustered consumer that begins at the oldest message; not started. */
    DefaultMQPushConsumer pushConsumer() {
        return pushConsumer(group());
    }

    DefaultMQPushConsumer pushConsumer(String group) {
        return prepared(new DefaultMQPushConsumer(group));
    }

    DefaultMQPushConsumer tracedPushConsumer() {
        return prepared(new DefaultMQPushConsumer(group(), true));
    }

    private DefaultMQPushConsumer prepared(DefaultMQPushConsumer consumer) {
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
        return pullConsumer(group() + "_PULL", instance);
    }

    DefaultMQPullConsumer pullConsumer(String group, String instance) throws MQClientException {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(group);
        address(consumer, instance);
        consumer.start();
        closers.push(consumer::shutdown);
        return consumer;
    }

    /** The first message of a topic that fits, as soon as it is there: for topics that the broker fills itself. */
    MessageExt awaitIn(String topic, int seconds, Predicate<MessageExt> wanted) throws Exception {
        DefaultMQPullConsumer reader = pullConsumer(newInstance());
        AtomicReference<MessageExt> found = new AtomicReference<>();
        eventually("the message in " + topic, seconds, () -> {
            for (MessageQueue queue : reader.fetchSubscribeMessageQueues(topic)) {
                readAll(reader, queue).stream().filter(wanted).findFirst().ifPresent(found::set);
            }
            return found.get() != null;
        });
        return found.get();
    }

    /** Everything that the topic holds now. */
    List<MessageExt> readTopic(DefaultMQPullConsumer reader) throws Exception {
        List<MessageExt> messages = new ArrayList<>();
        for (MessageQueue queue : reader.fetchSubscribeMessageQueues(topic())) {
            messages.addAll(readAll(reader, queue));
        }
        return messages;
    }

    static List<MessageExt> readAll(DefaultMQPullConsumer reader, MessageQueue queue) throws Exception {
        List<MessageExt> messages = new ArrayList<>();
        PullResult result = reader.pull(queue, "*", reader.minOffset(queue), 32);
        while (result.getPullStatus() == PullStatus.FOUND) {
            messages.addAll(result.getMsgFoundList());
            result = reader.pull(queue, "*", result.getNextBeginOffset(), 32);
        }
        return messages;
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

    /** Asks a broker until the answer is yes. A refusal counts as no; the last one is told when the time is over. */
    static void eventually(String what, int seconds, Callable<Boolean> question) throws InterruptedException {
        long deadline = System.nanoTime() + seconds * 1_000_000_000L;
        String refusal = "";
        while (true) {
            try {
                if (question.call()) {
                    return;
                }
                refusal = "";
            } catch (Exception refused) {
                refusal = ", but " + refused;
            }
            Checks.that(System.nanoTime() < deadline, what + ": not so within " + seconds + " s" + refusal);
            Thread.sleep(20);
        }
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
