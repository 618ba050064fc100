package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages found by key and by both kinds of ids, whoever stored and indexed them. */
final class MovedQueries implements Moved.Work {
    private static final int PER_TURN = 4;

    private record Sent(String key, String body, SendResult result) {
    }

    private final List<Sent> all = new ArrayList<>();

    @Override
    public void leave(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.topicWith(producer, 2, turn.first());
        for (int number = 0; number < PER_TURN; number++) {
            String key = "key-" + turn.number + "-" + number;
            Message message = session.message("T", "with " + key);
            message.setKeys(key + " shared");
            message.putUserProperty("own", "value of " + key);
            all.add(new Sent(key, "with " + key, producer.send(message)));
        }
    }

    @Override
    public String found(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.topicWith(producer, 2, false);
        for (Sent sent : all) {
            Session.eventually("the message with " + sent.key, 10, () -> !byKey(session, producer, sent.key).isEmpty());
            List<MessageExt> found = byKey(session, producer, sent.key);
            // Recovery indexes anew what it walks over, and a broker of Java does not look whether it is there already.
            that(found.size() <= 1 || turn.afterAnyKill(), sent.key + " finds " + found.size() + " messages");
            found.forEach(message -> check(session, sent, message));
            check(session, sent, producer.viewMessage(session.topic(), sent.result.getMsgId()));
            check(session, sent, producer.viewMessage(session.topic(), sent.result.getOffsetMsgId()));
        }
        Set<String> shared = new HashSet<>();
        byKey(session, producer, "shared").forEach(message -> shared.add(Received.text(message)));
        equal(new HashSet<>(all.stream().map(Sent::body).toList()), shared, "messages with the key of all");
        return all.size() + " messages by key and ids";
    }

    private static void check(Session session, Sent sent, MessageExt found) {
        equal(sent.body, Received.text(found), "body");
        equal(session.topic(), found.getTopic(), "topic");
        equal(sent.result.getMsgId(), found.getMsgId(), "message id");
        equal(sent.result.getQueueOffset(), found.getQueueOffset(), "queue offset");
        equal("value of " + sent.key, found.getUserProperty("own"), "user property");
    }

    private static List<MessageExt> byKey(Session session, DefaultMQProducer producer, String key) throws Exception {
        return producer.queryMessage(session.topic(), key, 64, 0, Long.MAX_VALUE).getMessageList();
    }
}
