package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullCallback;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * One connection carries sends while 1,000 pulls are parked on it and somebody else reads a backlog from disk.
 *
 * <p>A Java client has one connection per broker for everything, so a broker that lets a parked pull or a cold read
 * hold up a connection would show it here in the times of the sends.
 */
final class ParkedCheck {
    private static final int PARKED = 1_000;
    /** Sends with nothing else going on, to compare with; the sends beside the reader last as long as it reads. */
    private static final int SENDS = 2_000;
    private static final int READ_WITHIN_S = 60;
    private static final int BACKLOG = 16_384;
    private static final int BACKLOG_BODY = 16 << 10;
    private static final int BATCH = 64;
    /** Far above what a send takes on a busy two-core machine, far below a pull that is parked or a client's time-out. */
    private static final double P99_LIMIT_MS = 200;

    /** Writes the backlog, 256 MiB. The driver then restarts the broker and drops the files from the page cache. */
    static String fill(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        Random random = new Random(1);
        for (int sent = 0; sent < BACKLOG; sent += BATCH) {
            List<Message> batch = new ArrayList<>();
            for (int number = 0; number < BATCH; number++) {
                byte[] body = new byte[BACKLOG_BODY];
                random.nextBytes(body);
                batch.add(new Message(session.topic(), body));
            }
            producer.send(batch);
        }
        return (long) BACKLOG * BACKLOG_BODY / (1 << 20) + " MiB";
    }

    static String run(Session session) throws Exception {
        String instance = session.newInstance();
        DefaultMQProducer producer = session.producer(instance);
        List<MessageQueue> queues = session.createTopic(producer, PARKED);
        // The first round is the JVM warming up; the second is what the sends are compared with.
        AtomicInteger sent = new AtomicInteger();
        send(session, producer, sent, () -> sent.get() < SENDS / 2);
        double[] alone = send(session, producer, sent, () -> sent.get() < SENDS);

        Parking parking = new Parking(session.pullConsumer(instance));
        long start = System.nanoTime();
        for (MessageQueue queue : queues) {
            parking.park(queue);
        }
        AtomicInteger read = new AtomicInteger();
        readBacklog(session, read);
        long limit = start + READ_WITHIN_S * 1_000_000_000L;
        double[] beside = send(session, producer, sent, () -> read.get() < BACKLOG && System.nanoTime() < limit);
        long seconds = (System.nanoTime() - start) / 1_000_000_000;
        that(read.get() >= BACKLOG, "read " + read + " of " + BACKLOG + " messages of the backlog in " + seconds + " s");
        equal(0, parking.broken.get(), "pulls that ended with an error");
        // The client asks for 20 s; a pull that is answered before half of them are over has not been parked.
        that(parking.answered.get() <= PARKED * (seconds / 10),
            parking.answered + " of " + PARKED + " parked pulls were answered within " + seconds + " s");
        that(percentile(beside, 99) < P99_LIMIT_MS, "p99 " + percentile(beside, 99) + " ms");
        return String.format(Locale.ROOT,
            "%d sends beside %d parked pulls and a cold reader: p50 %.2f, p99 %.2f, max %.2f ms; alone p50 %.2f, p99 %.2f ms",
            beside.length, PARKED, percentile(beside, 50), percentile(beside, 99), percentile(beside, 100),
            percentile(alone, 50), percentile(alone, 99));
    }

    /** Keeps a pull parked at the end of each of its queues. */
    private static final class Parking {
        final AtomicInteger answered = new AtomicInteger();
        final AtomicInteger broken = new AtomicInteger();
        private final DefaultMQPullConsumer consumer;

        Parking(DefaultMQPullConsumer consumer) {
            this.consumer = consumer;
        }

        void park(MessageQueue queue) throws Exception {
            consumer.pullBlockIfNotFound(queue, "*", 0, 32, new PullCallback() {
                @Override
                public void onSuccess(PullResult result) {
                    answered.incrementAndGet();
                    try {
                        park(queue);
                    } catch (Exception error) {
                        broken.incrementAndGet();
                    }
                }

                @Override
                public void onException(Throwable error) {
                    broken.incrementAndGet();
                }
            });
        }
    }

    private static void readBacklog(Session session, AtomicInteger read) throws Exception {
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.subscribe(session.topic().replace("parked_sends", "parked_fill"), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            read.addAndGet(batch.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
    }

    /** Sends one after the other while told to, to a topic on which nobody waits; the sorted times in milliseconds. */
    private static double[] send(Session session, DefaultMQProducer producer, AtomicInteger sent, BooleanSupplier goOn)
        throws Exception {
        List<Double> millis = new ArrayList<>();
        while (goOn.getAsBoolean()) {
            Message message = new Message(session.topic("sends"), new byte[128]);
            long start = System.nanoTime();
            producer.send(message);
            millis.add((System.nanoTime() - start) / 1e6);
            sent.incrementAndGet();
        }
        return millis.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    }

    private static double percentile(double[] sorted, int percent) {
        return sorted[Math.min(sorted.length - 1, sorted.length * percent / 100)];
    }
}
