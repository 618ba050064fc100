package interop;

import static interop.Checks.equal;

import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Looking at a queue and at single messages. */
final class OffsetChecks {
    static void run(Checks checks) {
        checks.run("offset_max_min", OffsetChecks::maxAndMin);
        checks.run("offset_search", OffsetChecks::search);
    }

    static String maxAndMin(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        equal(0L, producer.maxOffset(queue), "max offset of an empty queue");
        equal(0L, producer.minOffset(queue), "min offset of an empty queue");
        equal(0L, producer.searchOffset(queue, System.currentTimeMillis()), "search in an empty queue");
        equal(-1L, producer.earliestMsgStoreTime(queue), "earliest store time of an empty queue");
        ConsumeChecks.send(session, producer, "", 0, 25);
        session.awaitStored(producer, 25);
        equal(25L, producer.maxOffset(queue), "max offset");
        equal(0L, producer.minOffset(queue), "min offset");
        long earliest = producer.earliestMsgStoreTime(queue);
        MessageExt first = Session.readAll(session.pullConsumer(session.newInstance()), queue).get(0);
        equal(first.getStoreTimestamp(), earliest, "earliest store time");
        return "";
    }

    static String search(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        List<Long> times = new ArrayList<>();
        for (int number = 0; number < 10; number++) {
            SendResult result = producer.send(session.message("timed " + number));
            times.add(producer.viewMessage(session.topic(), result.getOffsetMsgId()).getStoreTimestamp());
            // Store times have to differ by more than their unit.
            Thread.sleep(20);
        }
        session.awaitStored(producer, 10);
        equal(0L, producer.searchOffset(queue, times.get(0) - 60_000), "long before the first");
        equal(9L, producer.searchOffset(queue, times.get(9) + 60_000), "long after the last");
        for (int number = 1; number < 10; number++) {
            long gap = times.get(number) - times.get(number - 1);
            equal(number - 1L, producer.searchOffset(queue, times.get(number) - gap + 1),
                "just after message " + (number - 1));
            equal((long) number, producer.searchOffset(queue, times.get(number) - 1), "just before message " + number);
        }
        for (int number = 0; number < 10; number++) {
            equal((long) number, producer.searchOffset(queue, times.get(number)), "at the time of message " + number);
        }
        return "";
    }
}
