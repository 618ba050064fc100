package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Which messages a consumer gets: by tag and by SQL92, for which the broker has enablePropertyFilter. */
final class FilterChecks {
    private static final int SUBSCRIPTION_PARSE_FAILED = 23;

    static void run(Checks checks) {
        checks.start("filter_tags", FilterChecks::tags);
        checks.start("filter_sql_expressions", FilterChecks::expressions);
        checks.start("filter_sql_push", FilterChecks::push);
        checks.start("filter_sql_refused", FilterChecks::refused);
        checks.start("filter_changed", FilterChecks::changed);
    }

    static String tags(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        // The second and the third have the same hash code, by which the broker filters; clients look closer.
        for (String tag : List.of("A", "Aa", "BB", "C", "")) {
            producer.send(session.message(tag, "tag " + tag));
        }
        session.awaitStored(producer, 5);
        DefaultMQPullConsumer consumer = session.pullConsumer(session.newInstance());
        Map<String, List<String>> expected = new LinkedHashMap<>();
        expected.put("*", List.of("A", "Aa", "BB", "C", ""));
        expected.put("", List.of("A", "Aa", "BB", "C", ""));
        expected.put("A", List.of("A"));
        expected.put("A || C", List.of("A", "C"));
        expected.put(" C||  A || none", List.of("A", "C"));
        expected.put("Aa", List.of("Aa"));
        expected.put("BB || C", List.of("BB", "C"));
        expected.put("none", List.of());
        for (Map.Entry<String, List<String>> entry : expected.entrySet()) {
            PullResult result = consumer.pull(queue, entry.getKey(), 0, 32);
            List<String> found = result.getPullStatus() == PullStatus.FOUND
                ? result.getMsgFoundList().stream().map(message -> Received.text(message).substring(4)).toList() : List.of();
            equal(entry.getValue(), found, "tags of '" + entry.getKey() + "'");
            equal(5L, result.getNextBeginOffset(), "next offset of '" + entry.getKey() + "'");
        }
        return "";
    }

    static String expressions(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        for (int number = 0; number < 10; number++) {
            producer.send(numbered(session, number));
        }
        session.awaitStored(producer, 10);
        DefaultMQPullConsumer consumer = sqlPuller(session, queue);
        Map<String, List<Integer>> expected = new LinkedHashMap<>();
        expected.put("n > 5", List.of(6, 7, 8, 9));
        expected.put("n >= 5 AND n < 8", List.of(5, 6, 7));
        expected.put("n = 3", List.of(3));
        expected.put("n <> 3 and n <= 4", List.of(0, 1, 2, 4));
        expected.put("3 < n AND n < 5", List.of(4));
        expected.put("n > -1 AND n < 1", List.of(0));
        expected.put("half > 3.5", List.of(8, 9));
        expected.put("half = 0.5", List.of(1));
        expected.put("n BETWEEN 2 AND 4", List.of(2, 3, 4));
        expected.put("n NOT BETWEEN 2 AND 7", List.of(0, 1, 8, 9));
        expected.put("letter = 'a'", List.of(0, 3, 6, 9));
        expected.put("letter <> 'a'", List.of(1, 2, 4, 5, 7, 8));
        expected.put("letter IN ('a', 'b')", List.of(0, 1, 3, 4, 6, 7, 9));
        expected.put("letter NOT IN ('a', 'b')", List.of(2, 5, 8));
        expected.put("even IS NULL", List.of(1, 3, 5, 7, 9));
        expected.put("even IS NOT NULL", List.of(0, 2, 4, 6, 8));
        expected.put("NOT (n > 2)", List.of(0, 1, 2));
        expected.put("n = 1 OR letter = 'c'", List.of(1, 2, 5, 8));
        expected.put("n = 1 OR n = 2 AND letter = 'a'", List.of(1));
        expected.put("(n = 1 OR n = 3) AND letter = 'a'", List.of(3));
        expected.put("TAGS = 'T1' AND n < 5", List.of(1, 3));
        expected.put("TAGS IN ('T0') AND even = 'it''s' AND n > 4", List.of(6, 8));
        expected.put("flag = TRUE AND n > 6", List.of(8));
        expected.put("missing > 3", List.of());
        expected.put("missing = 'x' OR n = 1", List.of(1));
        expected.put("missing IS NULL AND n = 9", List.of(9));
        expected.put("letter > 3", List.of());
        // What follows a whole expression is not looked at, and a property alone, a text, is not true.
        expected.put("n > 7 garbage", List.of(8, 9));
        expected.put("n + 1 > 3", List.of());
        expected.put("flag", List.of());
        expected.put("TRUE", List.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
        List<String> wrong = new ArrayList<>();
        for (Map.Entry<String, List<Integer>> entry : expected.entrySet()) {
            List<Integer> found = select(consumer, queue, entry.getKey());
            if (!found.equals(entry.getValue())) {
                wrong.add(entry.getKey() + ": expected " + entry.getValue() + ", found " + found);
            }
        }
        that(wrong.isEmpty(), String.join("; ", wrong));
        return expected.size() + " expressions";
    }

    /** A client asks a broker for SQL92 only when a heartbeat, the first after a second, has told the broker's version. */
    private static DefaultMQPullConsumer sqlPuller(Session session, MessageQueue queue) throws Exception {
        DefaultMQPullConsumer consumer = session.pullConsumer(session.newInstance());
        Session.eventually("the version of the broker", 10,
            () -> consumer.pull(queue, MessageSelector.bySql("TRUE"), 0, 1) != null);
        return consumer;
    }

    private static List<Integer> select(DefaultMQPullConsumer consumer, MessageQueue queue, String expression)
        throws Exception {
        PullResult result = consumer.pull(queue, MessageSelector.bySql(expression), 0, 32);
        equal(10L, result.getNextBeginOffset(), "next offset of " + expression);
        if (result.getPullStatus() != PullStatus.FOUND) {
            return List.of();
        }
        return result.getMsgFoundList().stream().map(message -> Integer.parseInt(message.getUserProperty("n"))).toList();
    }

    /** A consumer with messages from before it and from after it; markers show that what is missing was passed over. */
    static String push(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        for (int number = 0; number < 20; number++) {
            producer.send(numbered(session, number));
        }
        Received received = new Received();
        consumer(session, "n BETWEEN 5 AND 9 OR n >= 30 OR letter = 'marker'", received);
        received.await(5, 20);
        for (int number = 20; number < 40; number++) {
            producer.send(numbered(session, number));
        }
        for (int queue = 0; queue < 2; queue++) {
            int wanted = queue;
            producer.send(numbered(session, 100 + queue), (queues, message, none) -> queues.get(wanted), null);
        }
        received.await(17, 20);
        Set<Integer> numbers = Set.of(5, 6, 7, 8, 9, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 100, 101);
        equal(numbers, Set.copyOf(received.messages.stream().map(FilterChecks::number).toList()), "messages");
        equal(17, received.messages.size(), "deliveries");
        return "";
    }

    static String refused(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        for (String expression : List.of("n >", "n > 1 AND", ") n", "n == 3", "n = 'unended", "n IN (1)", "n > 'a'",
            "n BETWEEN 5 AND 3", "5")) {
            try {
                consumer(session, expression, new Received());
                throw new AssertionError("taken: " + expression);
            } catch (MQClientException refused) {
                equal(SUBSCRIPTION_PARSE_FAILED, refused.getResponseCode(), "code for " + expression);
                that(!refused.getErrorMessage().isBlank(), "no text for " + expression);
            }
        }
        return "";
    }

    /** A group whose consumer comes back with another expression, and changes it once more while it runs. */
    static String changed(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Received before = new Received();
        DefaultMQPushConsumer consumer = consumer(session, "n < 10", before);
        producer.send(numbered(session, 1));
        before.await(1, 20);
        consumer.shutdown();
        Received after = new Received();
        consumer = consumer(session, "n >= 10", after);
        producer.send(numbered(session, 2));
        producer.send(numbered(session, 11));
        after.await(1, 20);
        consumer.subscribe(session.topic(), MessageSelector.bySql("n <= 11"));
        // Both expressions take this one: it ends the pull that was made with the old one.
        producer.send(numbered(session, 11));
        after.await(2, 20);
        producer.send(numbered(session, 12));
        producer.send(numbered(session, 3));
        after.await(3, 20);
        equal(List.of(11, 11, 3), after.messages.stream().map(FilterChecks::number).toList(), "messages after the changes");
        return "";
    }

    private static int number(MessageExt message) {
        return Integer.parseInt(message.getUserProperty("n"));
    }

    private static Message numbered(Session session, int number) {
        Message message = session.message("T" + number % 2, "message " + number);
        message.putUserProperty("n", Integer.toString(number));
        message.putUserProperty("half", Double.toString(number / 2.0));
        message.putUserProperty("letter", number >= 100 ? "marker" : List.of("a", "b", "c").get(number % 3));
        message.putUserProperty("flag", Boolean.toString(number % 2 == 0));
        if (number % 2 == 0) {
            message.putUserProperty("even", "it's");
        }
        return message;
    }

    private static DefaultMQPushConsumer consumer(Session session, String expression, Received received) throws Exception {
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.subscribe(session.topic(), MessageSelector.bySql(expression));
        consumer.registerMessageListener(received);
        consumer.start();
        return consumer;
    }
}
