package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Clients that write down what happens to their messages, in a topic that the broker has with traceTopicEnable. */
final class TraceChecks {
    private static final String TRACE_TOPIC = "RMQ_SYS_TRACE_TOPIC";
    private static final String FIELD = "\u0001";
    private static final String RECORD = "\u0002";

    static void run(Checks checks) {
        checks.start("trace_records", TraceChecks::records);
    }

    static String records(Session session) throws Exception {
        DefaultMQProducer observer = session.producer();
        session.createTopic(observer, 1);
        DefaultMQProducer producer = session.tracedProducer();
        DefaultMQPushConsumer consumer = session.tracedPushConsumer();
        Received received = new Received();
        ConsumeChecks.subscribe(session, consumer, "*", received);
        Message message = session.message("T", "traced");
        message.setKeys("word");
        SendResult sent = producer.send(message);
        received.await(1, 20);
        String id = sent.getMsgId();
        List<String[]> records = new ArrayList<>();
        DefaultMQPullConsumer reader = session.pullConsumer(session.newInstance());
        Session.eventually("three trace records", 20, () -> {
            records.clear();
            for (MessageQueue queue : reader.fetchSubscribeMessageQueues(TRACE_TOPIC)) {
                Session.readAll(reader, queue).forEach(trace -> records.addAll(recordsOf(trace, id)));
            }
            return records.size() == 3;
        });
        String[] published = record(records, "Pub");
        equal("DefaultRegion", published[2], "region");
        equal(session.group() + "_P", published[3], "group of the producer");
        equal(session.topic(), published[4], "topic");
        equal(List.of("T", "word", session.options().broker(), "6"), Arrays.asList(published).subList(6, 10),
            "tags, keys, broker and length of the body");
        equal(sent.getOffsetMsgId(), published[12], "offset id");
        equal("true", published[13], "success");
        String[] before = record(records, "SubBefore");
        equal(session.group(), before[3], "group of the consumer");
        equal("0", before[6], "retry times");
        String[] after = record(records, "SubAfter");
        equal(before[4], after[1], "request id of the consumer");
        equal("true", after[4], "success of the consumer");
        // The trace of a message is found by the message's id and keys.
        for (String key : List.of(id, "word")) {
            Session.eventually("the trace with key " + key, 10, () ->
                observer.queryMessage(TRACE_TOPIC, key, 64, 0, Long.MAX_VALUE).getMessageList().stream()
                    .anyMatch(trace -> !recordsOf(trace, id).isEmpty()));
        }
        return "";
    }

    /** The records of one message in a trace message, each as its fields. */
    private static List<String[]> recordsOf(MessageExt trace, String id) {
        return Arrays.stream(Received.text(trace).split(RECORD)).map(record -> record.split(FIELD))
            .filter(fields -> Arrays.asList(fields).contains(id)).toList();
    }

    private static String[] record(List<String[]> records, String type) {
        List<String[]> found = records.stream().filter(fields -> fields[0].equals(type)).toList();
        that(found.size() == 1, found.size() + " records of type " + type);
        return found.get(0);
    }
}
