package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;

/** Messages of every shape: batches, compressed bodies, text beyond ASCII, tags of all kinds and none, several keys. */
final class MovedShapes implements Moved.Work {
    private static final int QUEUES = 2;
    private static final int BATCH = 10;
    /** The client compresses from here on. */
    private static final int COMPRESSED_FROM = 4 * 1024;
    private static final List<String> TAGS = List.of("A", "B", "标签", "Ünïcödé", "AaBB", "BBAa");
    private static final String BEYOND_ASCII = "äöü € 消息 🚀 да";

    private record Sent(Message message, int queue, long offset, String msgId) {
    }

    private final Ledger ledger;
    private final List<Sent> all = new ArrayList<>();

    MovedShapes(Ledger ledger) {
        this.ledger = ledger;
    }

    @Override
    public void leave(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        List<MessageQueue> queues = session.topicWith(producer, QUEUES, turn.first());
        int number = 0;
        for (Message message : shapes(session, turn)) {
            // Before it is sent: the client may compress what it is given.
            Message copy = copy(message);
            SendResult result = producer.send(message, queues.get(number++ % QUEUES));
            add(copy, result.getMessageQueue(), result.getQueueOffset(), result.getMsgId(), result.getOffsetMsgId());
        }
        for (MessageQueue queue : queues) {
            List<Message> batch = new ArrayList<>();
            for (int each = 0; each < BATCH; each++) {
                Message message = session.message(TAGS.get(each % TAGS.size()), "batch " + turn.number + " number " + each);
                message.setKeys("batch-" + turn.number + "-" + each + " batch");
                message.putUserProperty("of", "batch " + BEYOND_ASCII);
                batch.add(message);
            }
            SendResult result = producer.send(batch, queue);
            String[] ids = result.getMsgId().split(",");
            String[] offsetIds = result.getOffsetMsgId().split(",");
            equal(BATCH, ids.length, "message ids of a batch");
            equal(BATCH, offsetIds.length, "ids by offset of a batch");
            for (int each = 0; each < BATCH; each++) {
                add(batch.get(each), queue, result.getQueueOffset() + each, ids[each], offsetIds[each]);
            }
        }
    }

    private void add(Message message, MessageQueue queue, long offset, String msgId, String offsetMsgId) {
        all.add(new Sent(message, queue.getQueueId(), offset, msgId));
        ledger.given(queue, offset, msgId, offsetMsgId);
    }

    private static List<Message> shapes(Session session, Moved.Turn turn) {
        List<Message> messages = new ArrayList<>();
        for (String tag : TAGS) {
            messages.add(session.message(tag, "tag " + tag + ", turn " + turn.number));
        }
        messages.add(session.message(null, "no tag, turn " + turn.number));
        messages.add(session.message("T", (BEYOND_ASCII + " turn " + turn.number + " ").repeat(300)));
        byte[] random = new byte[3 * COMPRESSED_FROM];
        new Random(turn.number).nextBytes(random);
        messages.add(new Message(session.topic(), "T", random));
        messages.add(new Message(session.topic(), "T", new byte[COMPRESSED_FROM]));
        messages.add(new Message(session.topic(), "T", new byte[COMPRESSED_FROM - 1]));
        messages.add(new Message(session.topic(), "T", new byte[] {0}));
        Message message = session.message("T", BEYOND_ASCII + ", turn " + turn.number);
        message.setKeys(List.of("Schlüssel-" + turn.number, "键-" + turn.number, "shared"));
        message.setFlag(turn.number * 1_000_003);
        message.putUserProperty("Ünïcödé 名", BEYOND_ASCII);
        message.putUserProperty("long", "value ".repeat(500));
        messages.add(message);
        return messages;
    }

    @Override
    public String found(Session session, Moved.Turn turn) throws Exception {
        session.topicWith(session.producer(), QUEUES, false);
        DefaultMQPullConsumer reader = session.pullConsumer(session.newInstance());
        Map<String, MessageExt> there = new LinkedHashMap<>();
        for (MessageExt message : session.readTopic(reader)) {
            that(there.put(message.getMsgId(), message) == null, "twice: " + message.getMsgId());
        }
        int compressed = 0;
        for (Sent sent : all) {
            MessageExt message = there.remove(sent.msgId);
            that(message != null, "missing: " + sent);
            check(sent, message);
            compressed += (message.getSysFlag() & MessageSysFlag.COMPRESSED_FLAG) != 0 ? 1 : 0;
        }
        that(there.isEmpty(), "nobody sent " + there.keySet());
        int last = turn.number - 1;
        for (String key : List.of("Schlüssel-" + last, "键-" + last, "batch-" + last + "-9")) {
            Session.eventually("the message with " + key, 10,
                () -> !reader.queryMessage(session.topic(), key, 64, 0, Long.MAX_VALUE).getMessageList().isEmpty());
        }
        return all.size() + " of all shapes, " + compressed + " compressed";
    }

    private static void check(Sent sent, MessageExt message) {
        that(Arrays.equals(sent.message.getBody(), message.getBody()), "another body at " + sent);
        equal(sent.queue, message.getQueueId(), "queue of " + sent);
        equal(sent.offset, message.getQueueOffset(), "offset of " + sent);
        equal(sent.message.getTags(), message.getTags(), "tags of " + sent);
        equal(sent.message.getKeys(), message.getKeys(), "keys of " + sent);
        equal(sent.message.getFlag(), message.getFlag(), "flag of " + sent);
        sent.message.getProperties().forEach((name, value) -> {
            // What was only for the broker to act on is not stored.
            if (!name.equals(MessageConst.PROPERTY_WAIT_STORE_MSG_OK)) {
                equal(value, message.getProperty(name), name + " of " + sent);
            }
        });
        equal(sent.message.getBody().length >= COMPRESSED_FROM,
            (message.getSysFlag() & MessageSysFlag.COMPRESSED_FLAG) != 0, "compressed: " + sent);
    }

    private static Message copy(Message message) {
        Message copy = new Message(message.getTopic(), message.getTags(), message.getKeys(), message.getFlag(),
            message.getBody(), true);
        message.getProperties().forEach((name, value) -> {
            if (copy.getProperty(name) == null) {
                copy.putUserProperty(name, value);
            }
        });
        return copy;
    }
}
