package interop;

import static interop.Checks.equal;
import static interop.Checks.that;
import static org.apache.rocketmq.client.producer.LocalTransactionState.COMMIT_MESSAGE;
import static org.apache.rocketmq.client.producer.LocalTransactionState.ROLLBACK_MESSAGE;
import static org.apache.rocketmq.client.producer.LocalTransactionState.UNKNOW;

import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Half messages that are open when the store moves: the next broker asks for them, and for nothing that is decided. */
final class MovedTransactions implements Moved.Work {
    private static final String HALF_TOPIC = "RMQ_SYS_TRANS_HALF_TOPIC";
    private static final String DECISIONS_TOPIC = "RMQ_SYS_TRANS_OP_HALF_TOPIC";

    private final Deliveries deliveries = new Deliveries();
    /** Bodies about which a broker may ask: what is open, and what a killed one was told without having noted it. */
    private final Set<String> pending = new TreeSet<>();
    private final Set<String> told = new HashSet<>();

    /** What the producer decides stands in the body: how it ends, and whether at once or when the next broker asks. */
    private static final class Producer implements TransactionListener {
        final List<String> asked = new CopyOnWriteArrayList<>();
        private final boolean answers;

        Producer(boolean answers) {
            this.answers = answers;
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object none) {
            String body = new String(message.getBody());
            return body.contains("at once") ? decision(body) : UNKNOW;
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            asked.add(Received.text(message));
            return answers ? decision(Received.text(message)) : UNKNOW;
        }

        private static LocalTransactionState decision(String body) {
            return body.startsWith("commit") ? COMMIT_MESSAGE : ROLLBACK_MESSAGE;
        }
    }

    @Override
    public void leave(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer observer = session.producer();
        MessageQueue decisions = decisions(observer, session.topicWith(observer, 1, turn.first()));
        long decided = observer.maxOffset(decisions);
        TransactionMQProducer producer = session.transactionProducer(new Producer(false));
        for (String body : List.of("commit at once", "rollback at once", "commit", "rollback", "commit too", "rollback too")) {
            String numbered = body + ", turn " + turn.number;
            producer.sendMessageInTransaction(session.message("T", numbered), null);
            if (!body.contains("at once")) {
                pending.add(numbered);
            }
        }
        deliveries.add("commit at once, turn " + turn.number, turn);
        // A client does not wait for an answer when it says how a transaction ends.
        Session.eventually("two decisions", 10, () -> observer.maxOffset(decisions) >= decided + 2);
        DefaultMQPullConsumer reader = session.pullConsumer(session.newInstance());
        Session.eventually("the commit", 10, () -> deliveries.complete(session.readTopic(reader)));
        deliveries.check(session.readTopic(reader), turn);
    }

    @Override
    public String found(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer observer = session.producer();
        MessageQueue decisions = decisions(observer, session.topicWith(observer, 1, false));
        long decided = observer.maxOffset(decisions);
        Producer listener = new Producer(true);
        session.transactionProducer(listener);
        Session.eventually("the questions about " + pending, 40, () -> listener.asked.containsAll(pending)
            && observer.maxOffset(decisions) >= decided + listener.asked.size());
        Set<String> needless = new TreeSet<>(listener.asked);
        needless.removeAll(pending);
        if (turn.afterKill()) {
            needless.removeAll(told);
        }
        equal(Set.of(), needless, "questions about what is decided");
        pending.stream().filter(body -> body.startsWith("commit")).forEach(body -> deliveries.add(body, turn));
        DefaultMQPullConsumer reader = session.pullConsumer(session.newInstance());
        Session.eventually("the commits", 10, () -> deliveries.complete(session.readTopic(reader)));
        // A broker stores a half message again each time that it asks about it. That the older ones do not count is said by
        // how far it has come alone, and a killed one may not have noted that: the next one asks about each.
        List<String> halves = Session.readAll(reader, new MessageQueue(HALF_TOPIC, decisions.getBrokerName(), 0)).stream()
            .map(Received::text).toList();
        deliveries.check(session.readTopic(reader), turn, body -> Collections.frequency(halves, body) - 1);
        that(turn.afterKill() || listener.asked.size() == new HashSet<>(listener.asked).size(),
            "asked twice: " + listener.asked);
        if (!turn.afterKill()) {
            told.clear();
        }
        told.addAll(pending);
        int count = pending.size();
        pending.clear();
        return count + " pending, asked about " + listener.asked.size();
    }

    /** The queue in which a broker notes what is decided. It has no route; a client that has met the broker finds it. */
    private static MessageQueue decisions(DefaultMQProducer observer, List<MessageQueue> queues) throws MQClientException {
        observer.maxOffset(queues.get(0));
        return new MessageQueue(DECISIONS_TOPIC, queues.get(0).getBrokerName(), 0);
    }
}
