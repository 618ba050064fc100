package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.ToIntFunction;
import org.apache.rocketmq.common.message.MessageExt;

/** What a topic has to hold, and how often: once, and again if a broker was killed that may not have noted it. */
final class Deliveries {
    /** The turn in which the topic got a body last. */
    private final Map<String, Moved.Turn> turns = new HashMap<>();
    private final Map<String, Integer> seen = new HashMap<>();

    void add(String body, Moved.Turn turn) {
        turns.put(body, turn);
        seen.put(body, 1);
    }

    /** What is there of it is all from now on, but for what this turn's broker may not note. */
    void delivered(String body, Moved.Turn turn) {
        turns.put(body, turn);
    }

    /** Whether nothing is missing. */
    boolean complete(List<MessageExt> messages) {
        return messages.stream().map(Received::text).toList().containsAll(turns.keySet());
    }

    /** Nothing is missing, nothing else is there, and nothing is there too often: once more at most for each kill. */
    void check(List<MessageExt> messages, Moved.Turn turn) {
        check(messages, turn, body -> 1);
    }

    /** The same, where a kill may make more of it: as often as {@code again} says of a body. */
    void check(List<MessageExt> messages, Moved.Turn turn, ToIntFunction<String> again) {
        TreeMap<String, Integer> counts = new TreeMap<>();
        messages.forEach(message -> counts.merge(Received.text(message), 1, Integer::sum));
        Set<String> missing = new TreeSet<>(turns.keySet());
        missing.removeAll(counts.keySet());
        equal(Set.of(), missing, "what is missing");
        Set<String> strange = new TreeSet<>(counts.keySet());
        strange.removeAll(turns.keySet());
        equal(Set.of(), strange, "what is not to be there");
        counts.forEach((body, count) -> checkCount(body, count, turn, again));
    }

    private void checkCount(String body, int count, Moved.Turn turn, ToIntFunction<String> again) {
        int last = seen.get(body);
        if (count > last && count <= last + again.applyAsInt(body) && turns.get(body).killed()) {
            turns.put(body, turn);
            seen.put(body, count);
            return;
        }
        that(count == last, "'" + body + "' is there " + count + " times, not " + last + " times");
    }
}
