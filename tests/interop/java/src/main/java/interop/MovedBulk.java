package interop;

import static interop.Checks.contains;
import static interop.Checks.equal;
import static interop.Checks.that;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Enough messages in each turn that files of log, queues and index come to their ends; and what becomes of the oldest. */
final class MovedBulk {
    static final String NAME = "moved_bulk";
    static final int QUEUES = 2;
    /** Each more than a file of a queue holds. */
    private static final int SMALL = 250;
    /** Together more than two segments of the log, and in the first turn more than six: these are to expire. */
    private static final int BIG_BYTES = 60_000;
    private static final int BIG = 40;
    private static final int BIG_FIRST = 110;
    /** A first look of Java's comes a minute after its start. */
    private static final int EXPIRY_LIMIT_S = 90;

    private final Ledger ledger;
    /** How many messages the queue had of which nothing is to be left. */
    private int gone;
    /** Whether a broker has removed them, and the next one has not been seen to go on behind them. */
    private boolean isGone;

    MovedBulk(Ledger ledger) {
        this.ledger = ledger;
    }

    String leave(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        // What is large is to be as large in the log.
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        List<MessageQueue> queues = session.topicWith(producer, QUEUES, turn.first());
        if (turn.first()) {
            leaveToExpire(session, producer);
        }
        Random random = new Random(turn.number);
        int big = turn.first() ? BIG_FIRST : BIG;
        for (int number = 0; number < SMALL + big; number++) {
            byte[] body = new byte[number % 3 == 0 && number / 3 < big ? BIG_BYTES : 50];
            random.nextBytes(body);
            Message message = new Message(session.topic(), "T" + number % 5, "bulk-" + turn.number + "-" + number, body);
            ledger.given(producer.send(message, queues.get(number % QUEUES)));
        }
        return SMALL + big + " messages";
    }

    /** A queue of which nothing will be left. */
    private void leaveToExpire(Session session, DefaultMQProducer producer) throws Exception {
        producer.createTopic("TBW102", session.topic("gone"), 1);
        RetryChecks.awaitRoute(producer, session.topic("gone"));
        for (gone = 0; gone < 10; gone++) {
            ledger.given(producer.send(new Message(session.topic("gone"), text("number " + gone))));
        }
    }

    /** The driver has made the segments before this place old. They go when they are asked to, and with them what they held. */
    String expire(Session session, long logBegin) throws Exception {
        DefaultMQProducer producer = session.producer();
        List<MessageQueue> queues = session.topicWith(producer, QUEUES, false);
        for (MessageQueue queue : queues) {
            that(producer.minOffset(queue) < ledger.beginOf(queue, logBegin), "gone before it was asked for: " + queue);
        }
        contains(Tool.run(session, "deleteExpiredCommitLog", "-b", session.options().broker()), "success");
        for (MessageQueue queue : queues) {
            long begin = ledger.beginOf(queue, logBegin);
            Session.eventually(queue + " to begin at " + begin, EXPIRY_LIMIT_S, () -> producer.minOffset(queue) >= begin);
            equal(begin, producer.minOffset(queue), "where " + queue + " begins");
        }
        isGone = true;
        return ledger.expire(logBegin) + " messages expired";
    }

    boolean isGone() {
        return isGone;
    }

    /** A number is not given again though nothing was left of the queue that had it when the store moved. */
    String goOn(Session session, Moved.Turn turn) throws Exception {
        isGone = false;
        DefaultMQProducer producer = session.producer();
        RetryChecks.awaitRoute(producer, session.topic("gone"));
        SendResult sent = producer.send(new Message(session.topic("gone"), text("turn " + turn.number)));
        equal((long) gone++, sent.getQueueOffset(), "the number behind those that are gone");
        ledger.given(sent);
        return "goes on at " + sent.getQueueOffset();
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
