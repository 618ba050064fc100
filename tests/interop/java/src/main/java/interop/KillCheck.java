package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.io.BufferedWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Nothing acknowledged is missing after the broker was killed.
 *
 * <p>Two processes: one sends, through the kills, until its standard input ends, and writes the id of every
 * acknowledged message to a file; the other consumes from the beginning until it has seen all of them.
 */
final class KillCheck {
    private static final int SENDERS = 4;
    private static final String TOPIC_PART = "kill";

    static String produce(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        AtomicBoolean stop = new AtomicBoolean();
        AtomicInteger acked = new AtomicInteger();
        AtomicInteger failed = new AtomicInteger();
        try (BufferedWriter file = Files.newBufferedWriter(Path.of(session.options().ackedFile()))) {
            List<Thread> senders = new ArrayList<>();
            for (int sender = 0; sender < SENDERS; sender++) {
                Thread thread = new Thread(() -> {
                    while (!stop.get()) {
                        if (sendOne(session, producer, file)) {
                            acked.incrementAndGet();
                        } else {
                            failed.incrementAndGet();
                            // The broker is away; there is no use in asking a thousand times a second.
                            LockSupport.parkNanos(50_000_000);
                        }
                    }
                });
                thread.start();
                senders.add(thread);
            }
            while (System.in.read() >= 0) {
                // The driver closes our input when it has killed often enough.
            }
            stop.set(true);
            for (Thread thread : senders) {
                thread.join();
            }
        }
        that(acked.get() > 0, "nothing was acknowledged");
        return acked.get() + " acknowledged, " + failed.get() + " failed";
    }

    static String consume(Session session) throws Exception {
        Set<String> acked = new HashSet<>(Files.readAllLines(Path.of(session.options().ackedFile())));
        Set<String> missing = Collections.newSetFromMap(new ConcurrentHashMap<>());
        missing.addAll(acked);
        AtomicInteger delivered = new AtomicInteger();
        AtomicInteger damaged = new AtomicInteger();
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.subscribe(topic(session), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            for (MessageExt message : batch) {
                delivered.incrementAndGet();
                if (!Received.text(message).equals(body(message.getKeys()))) {
                    damaged.incrementAndGet();
                }
                missing.remove(message.getMsgId());
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        try {
            Session.await("all acknowledged messages", 60, missing::isEmpty);
        } catch (AssertionError late) {
            throw new AssertionError(missing.size() + " of " + acked.size() + " acknowledged messages are missing");
        }
        equal(0, damaged.get(), "messages with another body than was sent");
        return acked.size() + " acknowledged, " + delivered.get() + " delivered";
    }

    private static boolean sendOne(Session session, DefaultMQProducer producer, BufferedWriter file) {
        String key = Long.toString(System.nanoTime());
        Message message = new Message(topic(session), "", key, body(key).getBytes(StandardCharsets.UTF_8));
        try {
            SendResult result = producer.send(message);
            if (result.getSendStatus() != SendStatus.SEND_OK) {
                return false;
            }
            synchronized (file) {
                file.write(result.getMsgId());
                file.newLine();
                file.flush();
            }
            return true;
        } catch (Exception refused) {
            return false;
        }
    }

    /** What a message with this key contains, so that the consumer can tell without having seen it sent. */
    private static String body(String key) {
        return (key + ' ').repeat(40);
    }

    private static String topic(Session session) {
        return "interop_" + session.options().runId() + "_" + TOPIC_PART;
    }
}
