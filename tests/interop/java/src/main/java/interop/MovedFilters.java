package interop;

import static interop.Checks.equal;
import static interop.Checks.that;
import static org.apache.rocketmq.client.consumer.store.ReadOffsetType.READ_FROM_MEMORY;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.store.OffsetStore;
import org.apache.rocketmq.client.impl.CommunicationMode;
import org.apache.rocketmq.client.impl.consumer.PullResultExt;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.filter.ExpressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.body.ConsumeQueueData;
import org.apache.rocketmq.common.protocol.header.PullMessageRequestHeader;
import org.apache.rocketmq.common.sysflag.PullSysFlag;

/**
 * What a group with a SQL92 condition and a reader by tag are given when both brokers have extensions of queues, with bit
 * maps of the conditions that records meet.
 */
final class MovedFilters implements Moved.Work {
    private static final int PER_TURN = 10;
    private static final String CONDITION = "n BETWEEN 3 AND 6 OR n = 9";
    /** The last one shows that everything before it has been passed. */
    private static final Set<Integer> WANTED = Set.of(3, 4, 5, 6, 9);
    private static final long TIMEOUT_MS = 10_000;

    /** What was sent in all turns, in its order, and what of it has met the condition. */
    private final List<Integer> sent = new ArrayList<>();
    private final Set<String> pending = new TreeSet<>();
    private final Set<String> given = new HashSet<>();

    @Override
    public void leave(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.topicWith(producer, 1, turn.first()).get(0);
        if (turn.first()) {
            // From its first heartbeat on the broker knows the condition and tells in bit maps what meets it.
            subscribe(session, new Received()).shutdown();
        }
        for (int number = 0; number < PER_TURN; number++) {
            String body = "turn " + turn.number + " number " + number;
            Message message = session.message(tag(number), body);
            message.putUserProperty("n", Integer.toString(number));
            producer.send(message, queue);
            sent.add(number);
            if (WANTED.contains(number)) {
                pending.add(body);
            }
        }
    }

    @Override
    public String found(Session session, Moved.Turn turn) throws Exception {
        MessageQueue queue = session.topicWith(session.producer(), 1, false).get(0);
        checkTags(session, queue);
        Received received = new Received();
        DefaultMQPushConsumer consumer = subscribe(session, received);
        Session.await("the messages " + pending, 20, () -> received.bodies().keySet().containsAll(pending));
        // What is on its way when a consumer leaves is not noted.
        OffsetStore offsets = consumer.getDefaultMQPushConsumerImpl().getOffsetStore();
        Session.await("the offset of the group", 10, () -> offsets.readOffset(queue, READ_FROM_MEMORY) == sent.size());
        Set<String> others = new TreeSet<>(received.bodies().keySet());
        others.removeAll(pending);
        if (turn.afterKill()) {
            others.removeAll(given);
        }
        equal(Set.of(), others, "messages that are not for the group any more, or never were");
        equal(received.bodies().size(), received.messages.size(), "messages, each counted once");
        given.addAll(pending);
        int count = pending.size();
        pending.clear();
        // Java evaluates its bit maps for a group that is there.
        return count + " pending" + (turn.atJava ? ", " + checkExtension(session) + " told by bit map" : "");
    }

    /** The broker's own choice: a client would drop what has another tag, so its part is left out here. */
    private void checkTags(Session session, MessageQueue queue) throws Exception {
        DefaultMQPullConsumer consumer = session.pullConsumer(session.newInstance());
        consumer.maxOffset(queue);
        PullMessageRequestHeader header = new PullMessageRequestHeader();
        header.setConsumerGroup(session.group() + "_PULL");
        header.setTopic(session.topic());
        header.setQueueId(queue.getQueueId());
        header.setQueueOffset(0L);
        header.setMaxMsgNums(1_000);
        header.setSysFlag(PullSysFlag.buildSysFlag(false, false, true, false));
        header.setCommitOffset(0L);
        header.setSuspendTimeoutMillis(0L);
        header.setSubscription("B");
        header.setSubVersion(0L);
        header.setExpressionType(ExpressionType.TAG);
        PullResultExt result = (PullResultExt) consumer.getDefaultMQPullConsumerImpl().getRebalanceImpl().getmQClientFactory()
            .getMQClientAPIImpl().pullMessage(session.options().broker(), header, TIMEOUT_MS, CommunicationMode.SYNC, null);
        List<MessageExt> found = MessageDecoder.decodes(ByteBuffer.wrap(result.getMessageBinary()));
        equal(sent.stream().filter(number -> tag(number).equals("B")).toList(),
            found.stream().map(message -> Integer.parseInt(message.getUserProperty("n"))).toList(), "messages with tag B");
    }

    /** Java shows what it reads in each unit. Gives how many entries its bit maps tell to be not for the group. */
    private long checkExtension(Session session) throws Exception {
        List<ConsumeQueueData> entries = session.admin().queryConsumeQueue(session.options().broker(), session.topic(), 0, 0,
            sent.size(), session.group()).getQueueData();
        equal(sent.size(), entries.size(), "entries");
        for (int number = 0; number < entries.size(); number++) {
            ConsumeQueueData entry = entries.get(number);
            that(entry.getExtendDataJson() != null, "entry " + number + " has no extension");
            that(entry.getExtendDataJson().contains("\"tagsCode\":" + tag(sent.get(number)).hashCode()),
                "entry " + number + " with tag " + tag(sent.get(number)) + " has " + entry.getExtendDataJson());
            that(entry.isEval() || !WANTED.contains(sent.get(number)), "entry " + number + " is not for the group");
        }
        long passed = entries.stream().filter(entry -> !entry.isEval()).count();
        that(passed > 0, "no bit map tells anything");
        return passed;
    }

    private static String tag(int number) {
        return List.of("A", "B", "C").get(number % 3);
    }

    private static DefaultMQPushConsumer subscribe(Session session, Received received) throws Exception {
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.subscribe(session.topic(), MessageSelector.bySql(CONDITION));
        consumer.registerMessageListener(received);
        consumer.start();
        return consumer;
    }
}
