package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Every way of sending. */
final class SendChecks {
    static void run(Checks checks) {
        checks.run("send_sync", SendChecks::sync);
        checks.run("send_async", SendChecks::async);
        checks.run("send_oneway", SendChecks::oneway);
        checks.run("send_batch", SendChecks::batch);
        checks.run("send_compressed", SendChecks::compressed);
        checks.run("send_properties", SendChecks::properties);
        checks.run("send_to_queue", SendChecks::toQueue);
        checks.run("send_creates_topic", SendChecks::createsTopic);
    }

    static String sync(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        List<MessageQueue> queues = session.createTopic(producer, 4);
        Set<String> places = new HashSet<>();
        Set<String> ids = new HashSet<>();
        for (int number = 0; number < 40; number++) {
            SendResult result = producer.send(session.message("sync " + number));
            equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
            that(queues.contains(result.getMessageQueue()), "unknown queue " + result.getMessageQueue());
            places.add(result.getMessageQueue().getQueueId() + ":" + result.getQueueOffset());
            ids.add(result.getOffsetMsgId());
        }
        equal(40, places.size(), "different queue offsets");
        equal(40, ids.size(), "different offset message ids");
        session.awaitStored(producer, 40);
        return "";
    }

    static String async(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        Queue<String> troubles = new ConcurrentLinkedQueue<>();
        CountDownLatch open = new CountDownLatch(200);
        for (int number = 0; number < 200; number++) {
            producer.send(session.message("async " + number), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    if (result.getSendStatus() != SendStatus.SEND_OK) {
                        troubles.add(result.getSendStatus().toString());
                    }
                    open.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    troubles.add(error.toString());
                    open.countDown();
                }
            });
        }
        that(open.await(10, TimeUnit.SECONDS), open.getCount() + " of 200 sends without an answer");
        that(troubles.isEmpty(), "failed: " + troubles.peek());
        session.awaitStored(producer, 200);
        return "";
    }

    static String oneway(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        for (int number = 0; number < 40; number++) {
            producer.sendOneway(session.message("oneway " + number));
        }
        session.awaitStored(producer, 40);
        return "";
    }

    static String batch(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        List<Message> messages = new ArrayList<>();
        for (int number = 0; number < 32; number++) {
            messages.add(session.message("T" + number, "batch " + number));
        }
        SendResult result = producer.send(messages);
        equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        equal(0L, result.getQueueOffset(), "queue offset of the first message");
        session.awaitStored(producer, 32);
        // One offset id for each message, in order; the first and the last are looked up.
        String[] ids = result.getOffsetMsgId().split(",");
        equal(32, ids.length, "offset message ids");
        for (int number : new int[] {0, 31}) {
            MessageExt stored = producer.viewMessage(session.topic(), ids[number]);
            equal("batch " + number, Received.text(stored), "body");
            equal("T" + number, stored.getTags(), "tags");
            equal((long) number, stored.getQueueOffset(), "queue offset");
        }
        return "";
    }

    static String compressed(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        String text = "compressible text ".repeat(20_000);
        SendResult result = producer.send(session.message(text));
        MessageExt stored = producer.viewMessage(session.topic(), result.getOffsetMsgId());
        that(stored.getStoreSize() < 40_000, "stored uncompressed: " + stored.getStoreSize() + " bytes");
        that(text.equals(Received.text(stored)), "the body came back different");
        return text.length() + " bytes as " + stored.getStoreSize();
    }

    static String properties(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Message message = session.message("TagA", "body with ümlauts 消息");
        message.setKeys(Arrays.asList("key1", "key2"));
        message.setFlag(77);
        message.putUserProperty("own", "value = 1, {\"x\": 2}");
        SendResult result = producer.send(message);
        MessageExt stored = producer.viewMessage(session.topic(), result.getOffsetMsgId());
        equal("body with ümlauts 消息", Received.text(stored), "body");
        equal("TagA", stored.getTags(), "tags");
        equal("key1 key2", stored.getKeys(), "keys");
        equal(77, stored.getFlag(), "flag");
        equal("value = 1, {\"x\": 2}", stored.getUserProperty("own"), "user property");
        equal(result.getMsgId(), stored.getMsgId(), "message id made by the client");
        equal(session.topic(), stored.getTopic(), "topic");
        that(Math.abs(stored.getStoreTimestamp() - System.currentTimeMillis()) < 60_000, "store time");
        that(stored.getBornTimestamp() <= stored.getStoreTimestamp() + 1_000, "born after it was stored");
        return "";
    }

    static String toQueue(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        for (int number = 0; number < 12; number++) {
            SendResult result = producer.send(session.message("selected"), (queues, message, argument) -> {
                int wanted = (Integer) argument;
                return queues.stream().filter(queue -> queue.getQueueId() == wanted).findFirst().orElseThrow();
            }, number % 3);
            equal(number % 3, result.getMessageQueue().getQueueId(), "queue");
            equal((long) (number / 3), result.getQueueOffset(), "queue offset");
        }
        return "";
    }

    static String createsTopic(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        SendResult result = producer.send(session.message("first"));
        equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        // The client asks for four queues and the template topic has at least as many.
        Session.await("a route with 4 queues", 10, () -> {
            try {
                return producer.fetchPublishMessageQueues(session.topic()).size() == 4;
            } catch (MQClientException notYet) {
                return false;
            }
        });
        return "";
    }
}
