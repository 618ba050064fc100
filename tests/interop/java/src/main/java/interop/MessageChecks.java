package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;

/** What a message may be made of, as a consumer gets it. */
final class MessageChecks {
    static void run(Checks checks) {
        checks.start("message_compressed", MessageChecks::compressed);
        checks.start("message_batch_items", MessageChecks::batchItems);
        checks.start("lite_pull_positions", MessageChecks::litePullPositions);
    }

    /** Clients compress from 4 KiB on; who reads a message finds the bytes that were sent, and a flag that tells. */
    static String compressed(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Received received = new Received();
        ConsumeChecks.consumer(session, "*", received);
        byte[] noise = new byte[8_192];
        new Random(1).nextBytes(noise);
        List<byte[]> bodies = List.of("8 bytes ".repeat(1_024).getBytes(), noise, "small".getBytes());
        for (byte[] body : bodies) {
            producer.send(new Message(session.topic(), body));
        }
        received.await(3, 20);
        for (MessageExt message : received.messages) {
            int number = (int) message.getQueueOffset();
            that(Arrays.equals(bodies.get(number), message.getBody()), "body " + number + " is different");
            boolean flagged = (message.getSysFlag() & MessageSysFlag.COMPRESSED_FLAG) != 0;
            equal(number < 2, flagged, "compressed according to the flag of body " + number);
        }
        long size = received.messages.stream().filter(message -> message.getQueueOffset() == 0).findFirst().orElseThrow()
            .getStoreSize();
        that(size < 1_000, "8 KiB of the same lie in " + size + " bytes");
        return "8 KiB in " + size + " bytes";
    }

    /** The messages of a batch have their own tags, keys and properties: they are filtered and found one by one. */
    static String batchItems(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Received received = new Received();
        ConsumeChecks.consumer(session, "odd", received);
        List<Message> batch = new ArrayList<>();
        for (int number = 0; number < 20; number++) {
            Message message = session.message(number % 2 == 1 ? "odd" : "even", "item " + number);
            message.setKeys("key" + number);
            message.putUserProperty("own", "value " + number);
            batch.add(message);
        }
        String[] ids = producer.send(batch).getMsgId().split(",");
        equal(20, ids.length, "message ids");
        received.await(10, 20);
        for (MessageExt message : received.messages) {
            int number = (int) message.getQueueOffset();
            equal(1, number % 2, "place of an odd item in the queue, modulo 2");
            equal("item " + number, Received.text(message), "body");
            equal("key" + number, message.getKeys(), "keys");
            equal("value " + number, message.getUserProperty("own"), "user property");
            equal(ids[number], message.getMsgId(), "message id");
        }
        for (int number : new int[] {0, 19}) {
            Session.eventually("the item with key " + number, 10, () -> {
                List<MessageExt> found = producer.queryMessage(session.topic(), "key" + number, 32, 0, Long.MAX_VALUE)
                    .getMessageList();
                return found.size() == 1 && found.get(0).getMsgId().equals(ids[number]);
            });
        }
        return "";
    }

    /** A consumer that pulls finds times, stops and goes on, and its committed place is what the broker keeps. */
    static String litePullPositions(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        ConsumeChecks.send(session, producer, "", 0, 10);
        session.awaitStored(producer, 10);
        // The times of before and after have to differ.
        Thread.sleep(20);
        long between = System.currentTimeMillis();
        Thread.sleep(20);
        ConsumeChecks.send(session, producer, "", 10, 20);
        session.awaitStored(producer, 20);
        DefaultLitePullConsumer consumer = session.litePullConsumer();
        consumer.setAutoCommit(false);
        consumer.start();
        consumer.assign(List.of(queue));
        long found = consumer.offsetForTimestamp(queue, between);
        that(found == 9 || found == 10, "offset for the time between: " + found);
        equal(20, PullChecks.poll(consumer, 20).size(), "messages");
        consumer.commitSync();
        Session.eventually("the committed offset", 10, () -> consumer.committed(queue) == 20);
        consumer.pause(List.of(queue));
        ConsumeChecks.send(session, producer, "", 20, 21);
        consumer.resume(List.of(queue));
        equal(Set.of("message 20"), PullChecks.poll(consumer, 1), "after the pause");
        return "";
    }
}
