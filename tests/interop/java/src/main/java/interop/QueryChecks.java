package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageId;
import org.apache.rocketmq.remoting.exception.RemotingException;

/** Messages found by their keys and ids. */
final class QueryChecks {
    private static final int SYSTEM_ERROR = 1;
    private static final int NO_MESSAGE = 208;

    static void run(Checks checks) {
        checks.start("query_key", QueryChecks::key);
        checks.start("query_key_words", QueryChecks::words);
        checks.start("query_key_many", QueryChecks::many);
        checks.start("query_key_times", QueryChecks::times);
        checks.start("query_unique_key", QueryChecks::uniqueKey);
        checks.start("view_offset_id", QueryChecks::offsetId);
        checks.start("view_offset_id_wrong", QueryChecks::wrongOffsetId);
    }

    static String key(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        for (String key : List.of("wanted", "other", "wanted", "wanted2")) {
            send(session, producer, key, "with " + key);
        }
        awaitFound(session, producer, "wanted2", 1);
        List<MessageExt> found = awaitFound(session, producer, "wanted", 2);
        for (MessageExt message : found) {
            equal("with wanted", Received.text(message), "body");
            equal("wanted", message.getKeys(), "keys");
            equal(session.topic(), message.getTopic(), "topic");
        }
        equal(NO_MESSAGE, refusal(session, producer, "absent"), "code for a key that is not there");
        // A key belongs to a topic.
        producer.createTopic("TBW102", session.topic("other"), 1);
        Session.eventually("the route of the other topic", 10,
            () -> !producer.fetchPublishMessageQueues(session.topic("other")).isEmpty());
        try {
            producer.queryMessage(session.topic("other"), "wanted", 32, 0, Long.MAX_VALUE);
            throw new AssertionError("found in another topic");
        } catch (MQClientException nothing) {
            equal(NO_MESSAGE, nothing.getResponseCode(), "code for another topic");
        }
        return "";
    }

    /** Each word of the keys finds the message, and nothing else does. */
    static String words(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        send(session, producer, "one two three", "many");
        send(session, producer, "two", "single");
        equal("many", Received.text(awaitFound(session, producer, "one", 1).get(0)), "body for the first word");
        equal("many", Received.text(awaitFound(session, producer, "three", 1).get(0)), "body for the last word");
        awaitFound(session, producer, "two", 2);
        for (String wrong : List.of("one two", "one two three", "thre", "ONE")) {
            equal(NO_MESSAGE, refusal(session, producer, wrong), "code for '" + wrong + "'");
        }
        return "";
    }

    /** Of 40 messages with one key as many as are asked for, the newest. */
    static String many(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        for (int number = 0; number < 40; number++) {
            send(session, producer, "shared", Integer.toString(number));
        }
        awaitFound(session, producer, "shared", 40);
        for (int max : new int[] {1, 10, 39, 40, 64, 1_000}) {
            List<Integer> numbers = new ArrayList<>();
            producer.queryMessage(session.topic(), "shared", max, 0, Long.MAX_VALUE).getMessageList()
                .forEach(message -> numbers.add(Integer.parseInt(Received.text(message))));
            numbers.sort(null);
            equal(IntStream.range(Math.max(0, 40 - max), 40).boxed().toList(), numbers, "messages of at most " + max);
        }
        return "";
    }

    static String times(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        List<Long> stored = new ArrayList<>();
        for (int number = 0; number < 3; number++) {
            SendResult result = send(session, producer, "timed", Integer.toString(number));
            stored.add(producer.viewMessage(result.getOffsetMsgId()).getStoreTimestamp());
            // The index knows seconds.
            Thread.sleep(2_100);
        }
        awaitFound(session, producer, "timed", 3);
        equal(List.of("0", "1"), between(session, producer, stored.get(0) - 1_000, stored.get(1) + 1_000), "the first two");
        equal(List.of("1"), between(session, producer, stored.get(1) - 1_000, stored.get(1) + 1_000), "the second");
        equal(List.of("1", "2"), between(session, producer, stored.get(1) - 1_000, Long.MAX_VALUE), "the last two");
        for (long[] range : new long[][] {{0, stored.get(0) - 5_000}, {stored.get(2) + 5_000, Long.MAX_VALUE}}) {
            try {
                between(session, producer, range[0], range[1]);
                throw new AssertionError("found from " + range[0] + " to " + range[1]);
            } catch (MQClientException nothing) {
                equal(NO_MESSAGE, nothing.getResponseCode(), "code when there is nothing in the range");
            }
        }
        return "";
    }

    /** The id that the client gave the message is a key like others. */
    static String uniqueKey(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        for (int number = 0; number < 3; number++) {
            SendResult result = send(session, producer, "same", "unique " + number);
            String id = result.getMsgId();
            Session.eventually("the message by its id", 10, () -> producer.viewMessage(session.topic(), id) != null);
            MessageExt found = producer.viewMessage(session.topic(), id);
            equal("unique " + number, Received.text(found), "body");
            equal(id, found.getMsgId(), "message id");
            equal(result.getQueueOffset(), found.getQueueOffset(), "queue offset");
            equal(result.getMessageQueue().getQueueId(), found.getQueueId(), "queue");
        }
        return "";
    }

    static String offsetId(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 4);
        for (int number = 0; number < 10; number++) {
            SendResult result = send(session, producer, "key", "viewed " + number);
            for (MessageExt found : List.of(producer.viewMessage(result.getOffsetMsgId()),
                producer.viewMessage(session.topic(), result.getOffsetMsgId()))) {
                equal("viewed " + number, Received.text(found), "body");
                equal(result.getQueueOffset(), found.getQueueOffset(), "queue offset");
                equal(result.getMessageQueue().getQueueId(), found.getQueueId(), "queue");
                equal(result.getMsgId(), found.getMsgId(), "message id");
            }
        }
        return "";
    }

    /** An id names a broker and a place in its log: where no message begins, and where no broker is. */
    static String wrongOffsetId(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        MessageId id = MessageDecoder.decodeMessageId(send(session, producer, "key", "body").getOffsetMsgId());
        long beyond = id.getOffset() + 1_000_000_000_000L;
        try {
            producer.viewMessage(MessageDecoder.createMessageId(id.getAddress(), beyond));
            throw new AssertionError("found at offset " + beyond);
        } catch (MQBrokerException refused) {
            equal(SYSTEM_ERROR, refused.getResponseCode(), "code");
            that(refused.getErrorMessage().contains(Long.toString(beyond)), "text: " + refused.getErrorMessage());
        }
        InetSocketAddress nobody = new InetSocketAddress(((InetSocketAddress) id.getAddress()).getAddress(), 1);
        try {
            producer.viewMessage(MessageDecoder.createMessageId(nobody, id.getOffset()));
            throw new AssertionError("found at a broker that is not there");
        } catch (RemotingException unreachable) {
            return "";
        }
    }

    private static SendResult send(Session session, DefaultMQProducer producer, String keys, String body) throws Exception {
        Message message = session.message(body);
        message.setKeys(keys);
        return producer.send(message);
    }

    /** The messages with this key, as soon as the index has so many: it is written after the answer to the send. */
    private static List<MessageExt> awaitFound(Session session, DefaultMQProducer producer, String key, int count)
        throws Exception {
        List<MessageExt> found = new ArrayList<>();
        Session.eventually(count + " messages with key " + key, 10, () -> {
            found.clear();
            found.addAll(producer.queryMessage(session.topic(), key, 64, 0, Long.MAX_VALUE).getMessageList());
            return found.size() == count;
        });
        return found;
    }

    private static List<String> between(Session session, DefaultMQProducer producer, long begin, long end) throws Exception {
        return producer.queryMessage(session.topic(), "timed", 32, begin, end).getMessageList().stream()
            .map(Received::text).sorted().toList();
    }

    private static int refusal(Session session, DefaultMQProducer producer, String key) throws Exception {
        try {
            throw new AssertionError("found: " + producer.queryMessage(session.topic(), key, 32, 0, Long.MAX_VALUE));
        } catch (MQClientException refused) {
            return refused.getResponseCode();
        }
    }
}
