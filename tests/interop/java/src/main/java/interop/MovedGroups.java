package interop;

import static interop.Checks.equal;
import static interop.Checks.that;
import static org.apache.rocketmq.client.consumer.store.ReadOffsetType.READ_FROM_MEMORY;
import static org.apache.rocketmq.client.consumer.store.ReadOffsetType.READ_FROM_STORE;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.store.OffsetStore;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** A group that is half-way through each queue of its topic, and the order in these queues. */
final class MovedGroups implements Moved.Work {
    private static final int QUEUES = 2;
    private static final int PER_TURN = 10;
    private static final int READ = 5;

    /** Bodies of each queue in their order. */
    private final List<List<String>> sent = List.of(new ArrayList<>(), new ArrayList<>());
    /** How far the group has come in each queue, and what of that is in a file, whatever becomes of the broker. */
    private final Map<Integer, Long> stored = new HashMap<>();
    private final Map<Integer, Long> noted = new HashMap<>();

    @Override
    public void leave(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        DefaultMQPullConsumer member = session.pullConsumer(session.group(), session.newInstance());
        OffsetStore offsets = member.getDefaultMQPullConsumerImpl().getOffsetStore();
        for (MessageQueue queue : session.topicWith(producer, QUEUES, turn.first())) {
            int id = queue.getQueueId();
            int from = sent.get(id).size();
            for (int number = from; number < from + PER_TURN; number++) {
                String body = "turn " + turn.number + " queue " + id + " number " + number;
                long offset = producer.send(session.message("T", body), queue).getQueueOffset();
                equal((long) number, offset, "offset in queue " + id);
                sent.get(id).add(body);
            }
            Session.eventually("the last message", 10, () -> member.maxOffset(queue) == from + PER_TURN);
            equal((long) from + READ, member.pull(queue, "*", from, READ).getNextBeginOffset(), "next offset");
            if (!turn.afterKill()) {
                noted.put(id, stored.getOrDefault(id, 0L));
            }
            stored.put(id, (long) from + READ);
            offsets.updateConsumeOffsetToBroker(queue, from + READ, false);
            equal((long) from + READ, offsets.readOffset(queue, READ_FROM_STORE), "stored offset");
        }
    }

    @Override
    public String found(Session session, Moved.Turn turn) throws Exception {
        DefaultMQProducer producer = session.producer();
        DefaultMQPullConsumer reader = session.pullConsumer(session.newInstance());
        List<MessageQueue> queues = session.topicWith(producer, QUEUES, false);
        for (MessageQueue queue : queues) {
            checkQueue(queue, Session.readAll(reader, queue));
        }
        Received received = new Received();
        DefaultMQPushConsumer consumer = session.pushConsumer();
        ConsumeChecks.subscribe(session, consumer, "*", received);
        Session.await("the end of each queue", 20, () -> received.messages.stream()
            .filter(message -> message.getQueueOffset() == sent.get(message.getQueueId()).size() - 1).count() >= QUEUES);
        // What is on its way when a consumer leaves is not noted.
        OffsetStore offsets = consumer.getDefaultMQPushConsumerImpl().getOffsetStore();
        Session.await("the offsets of the group", 20, () -> queues.stream().allMatch(queue ->
            offsets.readOffset(queue, READ_FROM_MEMORY) == sent.get(queue.getQueueId()).size()));
        for (MessageQueue queue : queues) {
            checkGoesOn(turn, queue.getQueueId(), received.messages);
        }
        return received.messages.size() + " messages were left to the group";
    }

    /** Everything that was ever sent is there, in its order, with the number that it was given. */
    private void checkQueue(MessageQueue queue, List<MessageExt> messages) {
        List<String> wanted = sent.get(queue.getQueueId());
        equal(wanted, messages.stream().map(Received::text).toList(), "messages of queue " + queue.getQueueId());
        equal(LongStream.range(0, wanted.size()).boxed().toList(),
            messages.stream().map(MessageExt::getQueueOffset).toList(), "offsets of queue " + queue.getQueueId());
    }

    /** From the stored offset on, or from an older one that a killed broker had written down, each message once. */
    private void checkGoesOn(Moved.Turn turn, int queue, List<MessageExt> received) {
        List<Long> offsets = received.stream().filter(message -> message.getQueueId() == queue)
            .map(MessageExt::getQueueOffset).sorted().toList();
        long first = offsets.get(0);
        equal(LongStream.range(first, sent.get(queue).size()).boxed().toList(), offsets, "offsets that the group was given");
        long oldest = turn.afterKill() ? noted.get(queue) : stored.get(queue);
        that(oldest <= first && first <= stored.get(queue),
            "queue " + queue + ": began at " + first + ", stored was " + stored.get(queue));
    }
}
