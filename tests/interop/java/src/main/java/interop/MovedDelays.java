package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Delayed messages. Those of the first level become due during the move, those of the second when it is over. */
final class MovedDelays implements Moved.Work {
    private static final int QUEUES = 3;
    private static final int PER_LEVEL = 6;
    /** {@code messageDelayLevel} of both brokers. */
    private static final long[] DELAY_MS = {3_000, 12_000};
    /** Both brokers look at their levels some time after the start; the rest is for a busy machine. */
    private static final long LATE_LIMIT_MS = 3_000;

    private final Deliveries deliveries = new Deliveries();
    private final Map<String, Integer> levels = new HashMap<>();
    private List<String> pending = List.of();

    @Override
    public void leave(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.topicWith(producer, QUEUES, turn.first());
        List<String> left = new ArrayList<>();
        for (int number = 0; number < PER_LEVEL * DELAY_MS.length; number++) {
            int level = 1 + number % DELAY_MS.length;
            String body = String.format("turn %d level %d number %02d", turn.number, level, number);
            Message message = session.message("T", body);
            message.setDelayTimeLevel(level);
            int queue = number % QUEUES;
            producer.send(message, (queues, sent, none) -> queues.get(queue), null);
            levels.put(body, level);
            left.add(body);
        }
        pending = left;
        List<MessageExt> early = session.readTopic(session.pullConsumer(session.newInstance()));
        that(early.stream().noneMatch(message -> left.contains(Received.text(message)) && level(message) == 2),
            "the longer delay was over before the move");
    }

    @Override
    public String found(Session session, Moved.Turn turn) throws Exception {
        session.topicWith(session.producer(), QUEUES, false);
        DefaultMQPullConsumer reader = session.pullConsumer(session.newInstance());
        List<MessageExt> messages = new ArrayList<>();
        // A level is delivered in its order: whatever this broker repeats comes before what it has not delivered yet.
        Session.eventually("all delayed messages", 40, () -> {
            messages.clear();
            messages.addAll(session.readTopic(reader));
            return messages.stream().map(Received::text).toList().containsAll(pending);
        });
        // If that took longer than the first delay, the last broker has delivered some, and may not have noted it.
        pending.forEach(body -> deliveries.add(body, turn.afterKill() ? turn.before() : turn));
        deliveries.check(messages, turn);
        pending.forEach(body -> deliveries.delivered(body, turn));
        long latest = 0;
        for (int level = 1; level <= DELAY_MS.length; level++) {
            latest = Math.max(latest, checkLevel(turn, level, messages));
        }
        return pending.size() + " pending, at most " + latest + " ms late";
    }

    /** In their order, not before their time, and soon after it or after the start; gives how late the latest was. */
    private long checkLevel(Moved.Turn turn, int level, List<MessageExt> messages) {
        List<MessageExt> delivered = messages.stream()
            .filter(message -> level(message) == level && pending.contains(Received.text(message)))
            .sorted(Comparator.comparing(MessageExt::getCommitLogOffset)).toList();
        equal(pending.stream().filter(body -> levels.get(body) == level).toList(),
            delivered.stream().map(Received::text).distinct().toList(), "the order of level " + level);
        long latest = 0;
        for (MessageExt message : delivered) {
            String body = Received.text(message);
            long due = message.getBornTimestamp() + DELAY_MS[level - 1];
            that(message.getStoreTimestamp() >= due,
                "'" + body + "' came " + (due - message.getStoreTimestamp()) + " ms before its time");
            latest = Math.max(latest, message.getStoreTimestamp() - Math.max(due, turn.beginMs));
        }
        that(latest < LATE_LIMIT_MS, "level " + level + " came " + latest + " ms late");
        return latest;
    }

    private int level(MessageExt message) {
        return levels.get(Received.text(message));
    }
}
