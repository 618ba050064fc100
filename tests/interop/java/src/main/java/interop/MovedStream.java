package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Producers that the end of a broker meets in the midst of sending. What was acknowledged is there, to the last message. */
final class MovedStream implements Moved.Work {
    private static final int SENDERS = 2;
    /** That so many were acknowledged shows that they are at it. */
    private static final int AT_LEAST = 100;
    private static final long PAUSE_NS = 2_000_000;

    private record Acknowledged(String body, SendResult result) {
    }

    private final Ledger ledger;
    private final List<Acknowledged> acknowledged = new CopyOnWriteArrayList<>();
    /** Bodies that were sent when a broker ended, and not acknowledged: they may be there, once. */
    private final List<String> unknown = new CopyOnWriteArrayList<>();
    private final List<Thread> senders = new ArrayList<>();
    private Session sending;
    /** How many of the acknowledged the ledger knows. */
    private int told;

    MovedStream(Ledger ledger) {
        this.ledger = ledger;
    }

    @Override
    public void leave(Session session, Moved.Turn turn) throws Exception {
        // Its clients outlive this step: they go on until the broker ends.
        sending = session.another();
        DefaultMQProducer producer = sending.producer();
        producer.setRetryTimesWhenSendFailed(0);
        List<MessageQueue> queues = sending.topicWith(producer, SENDERS, turn.first());
        int before = acknowledged.size();
        for (MessageQueue queue : queues) {
            Thread sender = new Thread(() -> send(producer, queue, turn), "sender " + queue.getQueueId());
            senders.add(sender);
            sender.start();
        }
        Session.await(AT_LEAST + " acknowledged messages", 20, () -> acknowledged.size() >= before + AT_LEAST);
    }

    private void send(DefaultMQProducer producer, MessageQueue queue, Moved.Turn turn) {
        for (int number = 0;; number++) {
            String body = "turn " + turn.number + " queue " + queue.getQueueId() + " number " + number;
            try {
                SendResult result = producer.send(new Message(queue.getTopic(), "T", body, body.getBytes()), queue);
                that(result.getSendStatus() == SendStatus.SEND_OK, "sent, but " + result);
                acknowledged.add(new Acknowledged(body, result));
            } catch (Exception ended) {
                unknown.add(body);
                return;
            }
            LockSupport.parkNanos(PAUSE_NS);
        }
    }

    /** The broker is gone, and with it the senders. What it acknowledged is known now. */
    void ended() throws InterruptedException {
        for (Thread sender : senders) {
            sender.join();
        }
        senders.clear();
        if (sending != null) {
            sending.close();
        }
        acknowledged.stream().skip(told).forEach(sent -> ledger.given(sent.result));
        told = acknowledged.size();
    }

    @Override
    public String found(Session session, Moved.Turn turn) throws Exception {
        session.topicWith(session.producer(), SENDERS, false);
        TreeMap<String, MessageExt> there = new TreeMap<>();
        for (MessageExt message : session.readTopic(session.pullConsumer(session.newInstance()))) {
            that(there.put(Received.text(message), message) == null, "'" + Received.text(message) + "' is there twice");
        }
        for (Acknowledged sent : acknowledged) {
            MessageExt message = there.remove(sent.body);
            that(message != null, "'" + sent.body + "' was acknowledged and is not there: " + sent.result);
            equal(sent.result.getQueueOffset(), message.getQueueOffset(), "offset of '" + sent.body + "'");
            equal(sent.result.getMsgId(), message.getMsgId(), "message id of '" + sent.body + "'");
        }
        int more = there.size();
        there.keySet().removeAll(unknown);
        that(there.isEmpty(), "nobody sent " + there.keySet());
        return acknowledged.size() + " acknowledged, " + more + " of " + unknown.size() + " unanswered are there";
    }
}
