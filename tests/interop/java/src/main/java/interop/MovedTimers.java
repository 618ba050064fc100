package interop;

import static interop.Checks.that;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Messages with a delivery time of their own. To Java the time means nothing: what waits goes on waiting, and what is sent to
 * it is delivered at once. What waits comes when the store is back.
 */
final class MovedTimers implements Moved.Work {
    /** Over while Java has the store. */
    private static final long SHORT_MS = 6_000;
    /** Not over when the store is back, unless the machine is busy; then it is late, too. */
    private static final long LONG_MS = 24_000;
    private static final long LATE_LIMIT_MS = 3_000;

    private record Waiting(String body, long dueMs, String msgId) {
    }

    private final Deliveries deliveries = new Deliveries();
    private final List<Waiting> pending = new ArrayList<>();

    @Override
    public void leave(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.topicWith(producer, 1, turn.first());
        if (turn.atJava) {
            leaveAtJava(session, turn, producer);
        } else {
            leaveAtOurs(session, turn, producer);
        }
    }

    /** Two times have no meaning: that of a message, and that of one which would take another one back. */
    private void leaveAtJava(Session session, Moved.Turn turn, DefaultMQProducer producer) throws Exception {
        // One more look before the store goes back: meanwhile a time has passed.
        deliveries.check(read(session), turn);
        String timed = "sent to Java, turn " + turn.number;
        producer.send(timed(session, timed, System.currentTimeMillis() + LONG_MS));
        deliveries.add(timed, turn);
        for (Waiting waiting : pending) {
            String body = "cancellation of '" + waiting.body + "' sent to Java, turn " + turn.number;
            producer.send(cancellation(session, body, waiting.dueMs, waiting.msgId));
            deliveries.add(body, turn);
        }
        awaitAll(session, turn);
    }

    private void leaveAtOurs(Session session, Moved.Turn turn, DefaultMQProducer producer) throws Exception {
        String body = "delivered, turn " + turn.number;
        producer.send(timed(session, body, System.currentTimeMillis() + 1_000));
        deliveries.add(body, turn);
        awaitAll(session, turn);
        long now = System.currentTimeMillis();
        leaveWaiting(session, producer, "short, turn " + turn.number, now + SHORT_MS);
        Message unwanted = timed(session, "taken back, turn " + turn.number, now + LONG_MS);
        String msgId = producer.send(unwanted).getMsgId();
        producer.send(cancellation(session, "cancellation, turn " + turn.number, now + LONG_MS, msgId));
        // It comes after what was taken back would have come.
        leaveWaiting(session, producer, "long, turn " + turn.number, now + LONG_MS + 1_000);
        deliveries.check(read(session), turn);
    }

    @Override
    public String found(Session session, Moved.Turn turn) throws Exception {
        session.topicWith(session.producer(), 1, false);
        if (pending.isEmpty()) {
            deliveries.check(read(session), turn);
            return "none waiting";
        }
        if (turn.atJava) {
            long due = pending.get(0).dueMs + LATE_LIMIT_MS;
            Session.await("the first time to pass", 20, () -> System.currentTimeMillis() > due);
            deliveries.check(read(session), turn);
            return pending.size() + " waiting, none delivered";
        }
        pending.forEach(waiting -> deliveries.add(waiting.body, turn));
        awaitAll(session, turn);
        List<MessageExt> messages = read(session);
        long late = pending.stream().filter(waiting -> waiting.dueMs < turn.beginMs).count();
        long latest = 0;
        for (Waiting waiting : pending) {
            latest = Math.max(latest, lateBy(turn, waiting, messages));
        }
        that(latest < LATE_LIMIT_MS, "delivered " + latest + " ms after their time or the start");
        int count = pending.size();
        pending.clear();
        return count + " waiting, " + late + " past their time, at most " + latest + " ms later than can be";
    }

    private static long lateBy(Moved.Turn turn, Waiting waiting, List<MessageExt> messages) {
        MessageExt message = messages.stream()
            .filter(found -> Received.text(found).equals(waiting.body)).findFirst().orElseThrow();
        long early = waiting.dueMs - message.getStoreTimestamp();
        that(early <= 0, "'" + waiting.body + "' came " + early + " ms before its time");
        return message.getStoreTimestamp() - Math.max(waiting.dueMs, turn.beginMs);
    }

    private void leaveWaiting(Session session, DefaultMQProducer producer, String body, long dueMs) throws Exception {
        pending.add(new Waiting(body, dueMs, producer.send(timed(session, body, dueMs)).getMsgId()));
    }

    private static Message cancellation(Session session, String body, long dueMs, String msgId) {
        Message message = timed(session, body, dueMs);
        message.putUserProperty("TIMER_DEL_UNIQKEY", msgId);
        return message;
    }

    private static Message timed(Session session, String body, long dueMs) {
        Message message = session.message("T", body);
        message.putUserProperty("TIMER_DELIVER_MS", Long.toString(dueMs));
        return message;
    }

    /** Waits until nothing is missing any more, and looks whether there is anything else. */
    private void awaitAll(Session session, Moved.Turn turn) throws Exception {
        DefaultMQPullConsumer reader = session.pullConsumer(session.newInstance());
        Session.eventually("all messages whose time has come", 60, () -> deliveries.complete(session.readTopic(reader)));
        deliveries.check(session.readTopic(reader), turn);
    }

    private static List<MessageExt> read(Session session) throws Exception {
        return session.readTopic(session.pullConsumer(session.newInstance()));
    }
}
