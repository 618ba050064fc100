package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import com.alibaba.fastjson.JSON;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.admin.TopicOffset;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Every message that a broker ever showed, at its place, as it was shown first; and every place that a broker ever gave to a
 * producer.
 *
 * <p>A look reads each queue of each topic from its least offset to its greatest one, those of the brokers' own topics as well.
 * What was seen before is there and is what it was; no offset is without a message; offsets are neither taken back nor, but
 * for what has expired, skipped.
 */
final class Ledger {
    private static final long TIMEOUT_MS = 10_000;
    /** What a client adds to the properties of whatever it has pulled. */
    private static final List<String> OF_THE_PULL = List.of(MessageConst.PROPERTY_MIN_OFFSET, MessageConst.PROPERTY_MAX_OFFSET);

    private record Place(String topic, int queue) {
    }

    private record Given(Place place, long offset, String msgId, String offsetMsgId) {
    }

    /** What is known of one queue. */
    private static final class Pages {
        private long min;
        private long max;
        private final TreeMap<Long, Map<String, Object>> messages = new TreeMap<>();
    }

    private final Map<Place, Pages> queues =
        new TreeMap<>(Comparator.comparing(Place::topic).thenComparing(Place::queue));
    private final List<Given> given = new ArrayList<>();
    /** Where the log begins, as far as expiry goes. */
    private long logBegin;

    /** A producer was told that its message is there. */
    synchronized void given(MessageQueue queue, long offset, String msgId, String offsetMsgId) {
        given.add(new Given(new Place(queue.getTopic(), queue.getQueueId()), offset, msgId, offsetMsgId));
    }

    void given(SendResult result) {
        given(result.getMessageQueue(), result.getQueueOffset(), result.getMsgId(), result.getOffsetMsgId());
    }

    /** Where a queue has to begin when the log does so at this place; -1 when nothing of it is left. */
    synchronized long beginOf(MessageQueue queue, long logBegin) {
        return pages(new Place(queue.getTopic(), queue.getQueueId())).messages.entrySet().stream()
            .filter(message -> (long) message.getValue().get("offset") >= logBegin)
            .mapToLong(Map.Entry::getKey).findFirst().orElse(-1);
    }

    /** What lies before this place of the log is gone, and is to be so for all that come. */
    synchronized int expire(long logBegin) {
        this.logBegin = logBegin;
        int gone = 0;
        for (Pages pages : queues.values()) {
            int before = pages.messages.size();
            pages.messages.values().removeIf(message -> (long) message.get("offset") < logBegin);
            gone += before - pages.messages.size();
        }
        return gone;
    }

    /**
     * Reads everything, compares it with what was read before, and goes on with what is new. What was acknowledged only now
     * may not be in its queue yet; when the broker is {@code quiet} it is.
     */
    synchronized String look(Session session, Moved.Turn turn, boolean quiet) throws Exception {
        DefaultMQPullConsumer reader = session.pullConsumer(session.newInstance());
        // A client that has asked for something knows the address of the broker.
        reader.maxOffset(session.topicWith(session.producer(), MovedBulk.QUEUES, false).get(0));
        MQClientAPIImpl api =
            reader.getDefaultMQPullConsumerImpl().getRebalanceImpl().getmQClientFactory().getMQClientAPIImpl();
        String broker = session.options().broker();
        Map<String, TopicConfig> topics =
            new TreeMap<>(api.getAllTopicConfig(broker, TIMEOUT_MS).getTopicConfigTable());
        TreeSet<String> lost = new TreeSet<>();
        queues.keySet().forEach(place -> lost.add(place.topic));
        lost.removeAll(topics.keySet());
        equal(new TreeSet<>(), lost, "topics that are gone");
        int old = count();
        for (String topic : topics.keySet()) {
            Map<MessageQueue, TopicOffset> offsets = api.getTopicStatsInfo(broker, topic, TIMEOUT_MS).getOffsetTable();
            for (Map.Entry<MessageQueue, TopicOffset> queue : offsets.entrySet()) {
                lookAt(reader, queue.getKey(), queue.getValue(), turn);
            }
        }
        given.forEach(each -> checkGiven(each, quiet));
        return old + " as they were, " + (count() - old) + " new, " + given.size() + " acknowledged";
    }

    /** A line of JSON for each message, named as {@code ferromq store dump} names its fields. */
    synchronized void write(Path file) throws IOException {
        List<String> lines = new ArrayList<>();
        queues.values().forEach(pages -> pages.messages.values().forEach(message -> lines.add(JSON.toJSONString(message))));
        Files.write(file, lines);
    }

    private void lookAt(DefaultMQPullConsumer reader, MessageQueue queue, TopicOffset offsets, Moved.Turn turn)
        throws Exception {
        Place place = new Place(queue.getTopic(), queue.getQueueId());
        Pages pages = pages(place);
        long min = offsets.getMinOffset();
        that(offsets.getMaxOffset() >= pages.max, place + " ends at " + offsets.getMaxOffset() + ", not at " + pages.max);
        that(offsets.getMaxOffset() >= min, place + " begins at " + min + ", and ends at " + offsets.getMaxOffset());
        long wanted = pages.messages.isEmpty() ? pages.max : pages.messages.firstKey();
        if (pages.messages.isEmpty() && pages.max > 0 && turn.atJava) {
            // Java tells the number at which a queue began when it had messages, or none: there is no entry to take it from.
            that(min <= wanted, place + " begins at " + min + ", behind its end " + wanted);
            min = wanted;
        }
        equal(pages.max == 0 ? 0L : wanted, min, "where " + place + " begins");
        TreeMap<Long, Map<String, Object>> found = read(reader, queue, min, offsets.getMaxOffset());
        for (Map.Entry<Long, Map<String, Object>> message : pages.messages.entrySet()) {
            equal(message.getValue(), found.get(message.getKey()), place + " at " + message.getKey());
        }
        for (Map<String, Object> message : found.tailMap(pages.max).values()) {
            long offset = (long) message.get("offset");
            that(offset >= logBegin, place + " has a message at " + offset + ", and the log begins at " + logBegin);
        }
        pages.messages.putAll(found);
        pages.min = min;
        pages.max = Math.max(offsets.getMaxOffset(), found.isEmpty() ? 0 : found.lastKey() + 1);
    }

    /** What a queue holds, at least as far as it reached; each offset has one message. */
    private static TreeMap<Long, Map<String, Object>> read(DefaultMQPullConsumer reader, MessageQueue queue, long min, long max)
        throws Exception {
        TreeMap<Long, Map<String, Object>> found = new TreeMap<>();
        long next = min;
        while (next < max) {
            PullResult result = reader.pull(queue, "*", next, 32);
            equal(PullStatus.FOUND, result.getPullStatus(), "a pull at " + next + " of " + queue + ", which ends at " + max);
            for (MessageExt message : result.getMsgFoundList()) {
                equal(next, message.getQueueOffset(), "offset in " + queue);
                found.put(next, entry(message));
                next++;
            }
            equal(next, result.getNextBeginOffset(), "next offset in " + queue);
        }
        return found;
    }

    private void checkGiven(Given given, boolean quiet) {
        Pages pages = pages(given.place);
        Map<String, Object> message = pages.messages.get(given.offset);
        if (message == null) {
            that(given.offset < pages.min || !quiet && given.offset >= pages.max, "acknowledged, and not there: " + given);
            return;
        }
        equal(given.msgId, message.get("msgId"), "message id at " + given.place + " " + given.offset);
        equal(given.offsetMsgId, message.get("offsetMsgId"), "id by offset at " + given.place + " " + given.offset);
    }

    private Pages pages(Place place) {
        return queues.computeIfAbsent(place, none -> new Pages());
    }

    private int count() {
        return queues.values().stream().mapToInt(pages -> pages.messages.size()).sum();
    }

    private static Map<String, Object> entry(MessageExt message) throws NoSuchAlgorithmException {
        SortedMap<String, String> properties = new TreeMap<>(message.getProperties());
        OF_THE_PULL.forEach(properties::remove);
        Map<String, Object> entry = new TreeMap<>();
        entry.put("topic", message.getTopic());
        entry.put("queue", message.getQueueId());
        entry.put("queueOffset", message.getQueueOffset());
        entry.put("offset", message.getCommitLogOffset());
        entry.put("size", message.getStoreSize());
        entry.put("storeTimestamp", message.getStoreTimestamp());
        entry.put("sysFlag", message.getSysFlag());
        entry.put("preparedTransactionOffset", message.getPreparedTransactionOffset());
        entry.put("bodyCrc", message.getBodyCRC());
        entry.put("flag", message.getFlag());
        entry.put("bornTimestamp", message.getBornTimestamp());
        entry.put("bornHost", address(message.getBornHost()));
        entry.put("storeHost", address(message.getStoreHost()));
        entry.put("reconsumeTimes", message.getReconsumeTimes());
        entry.put("msgId", properties.get(MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX));
        entry.put("offsetMsgId", message instanceof MessageClientExt client
            ? client.getOffsetMsgId() : message.getMsgId());
        entry.put("properties", properties);
        entry.put("plainBody", HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(message.getBody())));
        return entry;
    }

    private static String address(SocketAddress address) {
        InetSocketAddress inet = (InetSocketAddress) address;
        return inet.getAddress().getHostAddress() + ":" + inet.getPort();
    }
}
