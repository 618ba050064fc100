package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.protocol.RequestCode;
import org.apache.rocketmq.common.protocol.header.CreateTopicRequestHeader;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** What no broker of RocketMQ 4.9.7 does: delivery times, and sends that are stored once. Not run against it. */
final class BeyondChecks {
    /** A second is promised; the rest is for a busy machine. */
    private static final long LATE_LIMIT_MS = 3_000;

    static void run(Checks checks) {
        checks.start("beyond_delivery_times", BeyondChecks::deliveryTimes);
        checks.start("beyond_taken_back", BeyondChecks::takenBack);
        checks.start("beyond_stored_once", BeyondChecks::storedOnce);
        checks.start("beyond_batch_stored_once", BeyondChecks::batchStoredOnce);
    }

    static String deliveryTimes(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Received received = new Received();
        ConsumeChecks.consumer(session, "*", received);
        long now = System.currentTimeMillis();
        send(producer, session.message("at"), "TIMER_DELIVER_MS", now + 3_000);
        send(producer, session.message("in milliseconds"), "TIMER_DELAY_MS", 2_000);
        send(producer, session.message("in seconds"), "TIMER_DELAY_SEC", 1);
        send(producer, session.message("passed"), "TIMER_DELIVER_MS", now - 1);
        received.await(4, 20);
        List<String> order = new ArrayList<>();
        long latest = 0;
        for (MessageExt message : received.messages) {
            order.add(Received.text(message));
            long late = message.getStoreTimestamp() - due(message);
            that(late >= 0, Received.text(message) + " was stored " + -late + " ms early");
            latest = Math.max(latest, late);
        }
        equal(List.of("passed", "in seconds", "in milliseconds", "at"), order, "order");
        that(latest < LATE_LIMIT_MS, latest + " ms late");
        return "at most " + latest + " ms late";
    }

    private static long due(MessageExt message) {
        return switch (Received.text(message)) {
            case "in milliseconds" -> message.getBornTimestamp() + 2_000;
            case "in seconds" -> message.getBornTimestamp() + 1_000;
            case "at" -> Long.parseLong(message.getUserProperty("TIMER_DELIVER_MS"));
            default -> message.getBornTimestamp();
        };
    }

    /** By its key and time, as a 5.x broker wants it, and by its key alone; who was delivered is not there any more. */
    static String takenBack(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Received received = new Received();
        ConsumeChecks.consumer(session, "*", received);
        long due = System.currentTimeMillis() + 3_000;
        SendResult first = send(producer, session.message("taken back by key and time"), "TIMER_DELIVER_MS", due);
        SendResult second = send(producer, session.message("taken back by key"), "TIMER_DELIVER_MS", due);
        send(producer, session.message("stays"), "TIMER_DELIVER_MS", due);
        SendResult passed = producer.send(session.message("passed"));
        Message byTime = session.message("cancellation");
        byTime.putUserProperty("TIMER_DELIVER_MS", Long.toString(due));
        byTime.putUserProperty("TIMER_DEL_UNIQKEY", first.getMsgId());
        producer.send(byTime);
        producer.send(cancellation(session, second.getMsgId()));
        try {
            producer.send(cancellation(session, passed.getMsgId()));
            throw new AssertionError("a message that was delivered was taken back");
        } catch (MQBrokerException refused) {
            equal(13, refused.getResponseCode(), "code for a message that was delivered");
        }
        received.await(2, 20);
        equal(Map.of("passed", 1, "stays", 1), received.bodies(), "what came");
        return "";
    }

    private static Message cancellation(Session session, String key) {
        Message message = session.message("cancellation");
        message.putUserProperty("TIMER_DEL_UNIQKEY", key);
        return message;
    }

    private static SendResult send(DefaultMQProducer producer, Message message, String name, long value) throws Exception {
        message.putUserProperty(name, Long.toString(value));
        return producer.send(message);
    }

    /** The client leaves its key on a message that it sends again; an application may name one itself. */
    static String storedOnce(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        createWithWindow(session, producer);
        Message message = session.message("once");
        SendResult first = producer.send(message, (queues, sent, none) -> queues.get(0), null);
        for (int queue : List.of(0, 1)) {
            SendResult again = producer.send(message, (queues, sent, none) -> queues.get(queue), null);
            equal(first.getOffsetMsgId(), again.getOffsetMsgId(), "message id of the second send");
            equal(first.getQueueOffset(), again.getQueueOffset(), "queue offset of the second send");
            equal(0, again.getMessageQueue().getQueueId(), "queue of the second send");
        }
        SendResult order = producer.send(order(session));
        equal(order.getOffsetMsgId(), producer.send(order(session)).getOffsetMsgId(), "message id of the same order");
        that(!producer.send(session.message("once")).getOffsetMsgId().equals(first.getOffsetMsgId()), "another message is the same");
        session.awaitStored(producer, 3);
        equal(3L, session.stored(producer), "stored messages");
        return "";
    }

    private static Message order(Session session) {
        Message message = session.message("order 4711");
        message.putUserProperty("IDEMPOTENCE_KEY", "order-4711");
        return message;
    }

    /** What is new of a batch is stored. */
    static String batchStoredOnce(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        createWithWindow(session, producer);
        List<Message> batch = new ArrayList<>(List.of(session.message("one"), session.message("two")));
        String ids = producer.send(batch).getOffsetMsgId();
        equal(ids, producer.send(batch).getOffsetMsgId(), "message ids of the second send");
        batch.add(session.message("three"));
        String[] mixed = producer.send(batch).getOffsetMsgId().split(",");
        equal(List.of(ids.split(",")), List.of(mixed).subList(0, 2), "message ids of what had been sent");
        session.awaitStored(producer, 3);
        equal(3L, session.stored(producer), "stored messages");
        return "";
    }

    /** Attributes of topics came with RocketMQ 5: its tools send this. */
    private static void createWithWindow(Session session, DefaultMQProducer producer) throws Exception {
        CreateTopicRequestHeader header = new CreateTopicRequestHeader();
        header.setTopic(session.topic());
        header.setDefaultTopic("TBW102");
        header.setReadQueueNums(2);
        header.setWriteQueueNums(2);
        header.setPerm(6);
        header.setTopicFilterType("SINGLE_TAG");
        header.setTopicSysFlag(0);
        header.setOrder(false);
        RemotingCommand create = RemotingCommand.createRequestCommand(RequestCode.UPDATE_AND_CREATE_TOPIC, header);
        create.addExtField("attributes", "+duplicate.window.ms=60000");
        equal(0, RefusalChecks.invoke(session, create).getCode(), "code of the topic's creation");
        session.topicWith(producer, 2, false);
    }
}
