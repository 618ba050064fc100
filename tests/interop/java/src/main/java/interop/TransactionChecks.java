package interop;

import static interop.Checks.equal;
import static interop.Checks.that;
import static org.apache.rocketmq.client.producer.LocalTransactionState.COMMIT_MESSAGE;
import static org.apache.rocketmq.client.producer.LocalTransactionState.ROLLBACK_MESSAGE;
import static org.apache.rocketmq.client.producer.LocalTransactionState.UNKNOW;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;

/** Transactional messages; the driver lets the broker ask about open ones every 2 s, when they are 1 s old, three times. */
final class TransactionChecks {
    private static final String HALF_TOPIC = "RMQ_SYS_TRANS_HALF_TOPIC";
    private static final String DISCARDED_TOPIC = "TRANS_CHECK_MAX_TIME_TOPIC";
    private static final int ASKED_WITHIN_S = 30;

    static void run(Checks checks) {
        checks.start("transaction_commit", TransactionChecks::commit);
        checks.start("transaction_rollback", TransactionChecks::rollback);
        checks.start("transaction_asked", TransactionChecks::asked);
        checks.start("transaction_exception", TransactionChecks::exception);
        checks.start("transaction_order", TransactionChecks::order);
        checks.start("transaction_other_producer", TransactionChecks::otherProducer);
        checks.start("transaction_immunity", TransactionChecks::immunity);
        checks.start("transaction_given_up", TransactionChecks::givenUp);
    }

    /** What a producer says about its transactions, and the messages about which the broker asked. */
    private static final class Answers implements TransactionListener {
        final List<MessageExt> asked = new CopyOnWriteArrayList<>();
        private final Callable<LocalTransactionState> local;
        private final Function<MessageExt, LocalTransactionState> later;

        Answers(Callable<LocalTransactionState> local, Function<MessageExt, LocalTransactionState> later) {
            this.local = local;
            this.later = later;
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
            try {
                return local.call();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            asked.add(message);
            return later.apply(message);
        }
    }

    /** Nobody sees the message before the commit, and with it everybody does. */
    static String commit(Session session) throws Exception {
        DefaultMQProducer observer = session.producer();
        session.createTopic(observer, 1);
        Received received = new Received();
        ConsumeChecks.consumer(session, "T", received);
        TransactionMQProducer producer = session.transactionProducer(new Answers(() -> {
            observer.send(session.message("T", "marker"));
            received.await(1, 20);
            return COMMIT_MESSAGE;
        }, none -> UNKNOW));
        Message message = session.message("T", "committed");
        message.setKeys("the key");
        TransactionSendResult result = producer.sendMessageInTransaction(message, null);
        equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        equal(COMMIT_MESSAGE, result.getLocalTransactionState(), "state");
        received.await(2, 10);
        equal("marker", Received.text(received.messages.get(0)), "first message");
        MessageExt half = session.awaitIn(HALF_TOPIC, 5, found -> found.getMsgId().equals(result.getMsgId()));
        checkHalf(session, half, result);
        checkCommitted(session, received.messages.get(1), result, half.getCommitLogOffset());
        return "";
    }

    private static void checkHalf(Session session, MessageExt half, TransactionSendResult result) {
        equal(HALF_TOPIC, half.getTopic(), "topic of the half message");
        equal(0, half.getQueueId(), "queue of the half message");
        equal(result.getQueueOffset(), half.getQueueOffset(), "queue offset of the half message");
        equal(0, MessageSysFlag.getTransactionValue(half.getSysFlag()), "transaction bits of the half message");
        checkProperties(session, half);
    }

    private static void checkCommitted(Session session, MessageExt message, TransactionSendResult result, long halfOffset) {
        equal("committed", Received.text(message), "body");
        equal(session.topic(), message.getTopic(), "topic");
        equal(0, message.getQueueId(), "queue");
        equal(1L, message.getQueueOffset(), "queue offset");
        equal(result.getMsgId(), message.getMsgId(), "message id");
        equal(result.getMsgId(), message.getTransactionId(), "transaction id");
        equal("the key", message.getKeys(), "keys");
        equal(MessageSysFlag.TRANSACTION_COMMIT_TYPE, MessageSysFlag.getTransactionValue(message.getSysFlag()),
            "transaction bits");
        checkProperties(session, message);
        equal(halfOffset, message.getPreparedTransactionOffset(), "prepared transaction offset");
    }

    private static void checkProperties(Session session, MessageExt message) {
        equal("true", message.getProperty("TRAN_MSG"), "TRAN_MSG");
        equal(session.group() + "_T", message.getProperty("PGROUP"), "PGROUP");
        equal(session.topic(), message.getProperty("REAL_TOPIC"), "REAL_TOPIC");
        equal("0", message.getProperty("REAL_QID"), "REAL_QID");
    }

    /** One is rolled back at once and one when the broker asks; a third, later one shows that time has passed. */
    static String rollback(Session session) throws Exception {
        DefaultMQProducer observer = session.producer();
        session.createTopic(observer, 1);
        Answers atOnce = new Answers(() -> ROLLBACK_MESSAGE, none -> COMMIT_MESSAGE);
        Answers whenAsked = new Answers(() -> UNKNOW, message ->
            Received.text(message).equals("late") ? COMMIT_MESSAGE : ROLLBACK_MESSAGE);
        Session other = new Session(session.options(), "transaction_rollback_asked");
        try (other) {
            session.transactionProducer(atOnce).sendMessageInTransaction(session.message("rolled back"), null);
            TransactionMQProducer producer = other.transactionProducer(whenAsked);
            producer.sendMessageInTransaction(session.message("rolled back when asked"), null);
            Session.await("the question about one message", ASKED_WITHIN_S, () -> whenAsked.asked.size() == 1);
            producer.sendMessageInTransaction(session.message("late"), null);
            session.awaitStored(observer, 1);
        }
        equal(0, atOnce.asked.size(), "questions about what was rolled back at once");
        equal(2, whenAsked.asked.size(), "questions about what was left open");
        MessageExt only = Session.readAll(session.pullConsumer(session.newInstance()),
            observer.fetchPublishMessageQueues(session.topic()).get(0)).get(0);
        equal("late", Received.text(only), "the message that was committed");
        return "";
    }

    static String asked(Session session) throws Exception {
        DefaultMQProducer observer = session.producer();
        session.createTopic(observer, 4);
        Received received = new Received();
        ConsumeChecks.consumer(session, "*", received);
        Answers answers = new Answers(() -> UNKNOW, none -> COMMIT_MESSAGE);
        long start = System.currentTimeMillis();
        TransactionSendResult result = session.transactionProducer(answers)
            .sendMessageInTransaction(session.message("open"), null);
        equal(UNKNOW, result.getLocalTransactionState(), "state");
        received.await(1, ASKED_WITHIN_S);
        long millis = System.currentTimeMillis() - start;
        that(millis >= 1_000, "asked about a message that was " + millis + " ms old");
        equal(1, answers.asked.size(), "questions");
        MessageExt question = answers.asked.get(0);
        equal("open", Received.text(question), "body of the question");
        equal(session.topic(), question.getTopic(), "topic of the question");
        equal(result.getMessageQueue().getQueueId(), question.getQueueId(), "queue of the question");
        equal(result.getMsgId(), question.getTransactionId(), "transaction id of the question");
        equal("1", question.getProperty("TRANSACTION_CHECK_TIMES"), "TRANSACTION_CHECK_TIMES");
        equal(result.getMessageQueue().getQueueId(), received.messages.get(0).getQueueId(), "queue");
        equal(result.getMsgId(), received.messages.get(0).getMsgId(), "message id");
        return "committed after " + millis + " ms";
    }

    static String exception(Session session) throws Exception {
        DefaultMQProducer observer = session.producer();
        session.createTopic(observer, 1);
        Answers answers = new Answers(() -> {
            throw new IllegalStateException("the local transaction broke");
        }, none -> COMMIT_MESSAGE);
        TransactionSendResult result = session.transactionProducer(answers)
            .sendMessageInTransaction(session.message("broken"), null);
        equal(UNKNOW, result.getLocalTransactionState(), "state");
        equal(0L, session.stored(observer), "stored messages before the broker asked");
        Session.eventually("the commit", ASKED_WITHIN_S, () -> session.stored(observer) == 1);
        return "";
    }

    /** The order in a queue is that of the commits, not that of the sends. */
    static String order(Session session) throws Exception {
        DefaultMQProducer observer = session.producer();
        session.createTopic(observer, 1);
        TransactionMQProducer second = session.transactionProducer(new Answers(() -> COMMIT_MESSAGE, none -> COMMIT_MESSAGE));
        TransactionMQProducer first = session.transactionProducer(new Answers(() -> {
            second.sendMessageInTransaction(session.message("sent second"), null);
            session.awaitStored(observer, 1);
            return COMMIT_MESSAGE;
        }, none -> COMMIT_MESSAGE));
        first.sendMessageInTransaction(session.message("sent first"), null);
        session.awaitStored(observer, 2);
        List<String> bodies = Session.readAll(session.pullConsumer(session.newInstance()),
            observer.fetchPublishMessageQueues(session.topic()).get(0)).stream().map(Received::text).toList();
        equal(List.of("sent second", "sent first"), bodies, "bodies in the queue");
        return "";
    }

    /** The producer that began the transaction is gone: another one of its group is asked. */
    static String otherProducer(Session session) throws Exception {
        DefaultMQProducer observer = session.producer();
        session.createTopic(observer, 1);
        Answers ofSecond = new Answers(() -> UNKNOW, none -> COMMIT_MESSAGE);
        try (Session leaving = new Session(session.options(), "transaction_other_producer")) {
            leaving.transactionProducer(new Answers(() -> UNKNOW, none -> UNKNOW))
                .sendMessageInTransaction(session.message("left open"), null);
        }
        session.transactionProducer(ofSecond);
        Session.eventually("the commit", ASKED_WITHIN_S, () -> session.stored(observer) == 1);
        that(ofSecond.asked.size() >= 1, "the second producer was not asked");
        return "";
    }

    /**
     * A message may say itself how long nobody is to ask about it. To RocketMQ each look at it meanwhile counts as a
     * question, so that one which is immune for three intervals is put aside without having been asked about; to FerroMQ it
     * does not.
     */
    static String immunity(Session session) throws Exception {
        DefaultMQProducer observer = session.producer();
        session.createTopic(observer, 1);
        Answers answers = new Answers(() -> UNKNOW, none -> COMMIT_MESSAGE);
        Message message = session.message("immune");
        message.putUserProperty("CHECK_IMMUNITY_TIME_IN_SECONDS", "3");
        long start = System.currentTimeMillis();
        session.transactionProducer(answers).sendMessageInTransaction(message, null);
        Session.await("the question", ASKED_WITHIN_S, () -> answers.asked.size() == 1);
        long millis = System.currentTimeMillis() - start;
        that(millis >= 3_000, "asked about a message that was " + millis + " ms old");
        int counted = Integer.parseInt(answers.asked.get(0).getProperty("TRANSACTION_CHECK_TIMES"));
        that(counted >= 1, "counted questions: " + counted);
        session.awaitStored(observer, 1);
        return "asked after " + millis + " ms";
    }

    /** After three questions without an answer the message is put aside; an administrator lets the broker ask again. */
    static String givenUp(Session session) throws Exception {
        DefaultMQProducer observer = session.producer();
        session.createTopic(observer, 1);
        AtomicBoolean answered = new AtomicBoolean();
        Answers answers = new Answers(() -> UNKNOW, none -> answered.get() ? COMMIT_MESSAGE : UNKNOW);
        TransactionSendResult result = session.transactionProducer(answers)
            .sendMessageInTransaction(session.message("never answered"), null);
        MessageExt discarded = session.awaitIn(DISCARDED_TOPIC, 60, message -> message.getMsgId().equals(result.getMsgId()));
        List<String> counts = answers.asked.stream().map(message -> message.getProperty("TRANSACTION_CHECK_TIMES")).toList();
        equal(List.of("1", "2", "3"), counts, "TRANSACTION_CHECK_TIMES of the questions");
        equal("3", discarded.getProperty("TRANSACTION_CHECK_TIMES"), "TRANSACTION_CHECK_TIMES of what is put aside");
        equal(session.topic(), discarded.getProperty("REAL_TOPIC"), "REAL_TOPIC");
        equal("never answered", Received.text(discarded), "body");
        equal(0L, session.stored(observer), "stored messages");
        answered.set(true);
        session.admin().resumeCheckHalfMessage(((MessageClientExt) discarded).getOffsetMsgId());
        Session.eventually("the commit", ASKED_WITHIN_S, () -> session.stored(observer) == 1);
        equal("1", answers.asked.get(3).getProperty("TRANSACTION_CHECK_TIMES"), "TRANSACTION_CHECK_TIMES after that");
        return "";
    }
}
