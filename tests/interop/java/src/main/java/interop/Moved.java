package interop;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A store goes from one broker to another and back; each leaves work that the next one has to go on with.
 *
 * <p>The driver says on standard input whose turn it is, a line for each step, and moves the store when the step's answer
 * has come:
 *
 * <pre>
 * found NUMBER BROKER stopped|killed    look at what the last broker left; how that one ended
 * leave NUMBER BROKER                   leave work with this one
 * </pre>
 */
final class Moved {
    /** One kind of work. Its session has the same topic and groups in every turn, and clients of its own in each step. */
    interface Work {
        void leave(Session session, Turn turn) throws Exception;

        String found(Session session, Turn turn) throws Exception;
    }

    /** The time during which one broker has the store. */
    static final class Turn {
        final int number;
        final boolean atJava;
        private final Turn last;
        /** When the broker served and nobody had asked it for anything. */
        final long beginMs = System.currentTimeMillis();
        private boolean killed;

        private Turn(int number, String broker, Turn last) {
            this.number = number;
            this.atJava = broker.equals("java");
            this.last = last;
        }

        boolean first() {
            return last == null;
        }

        /** Whether its broker was killed, and so may not have written down what it did last. */
        boolean killed() {
            return killed;
        }

        boolean afterKill() {
            return last != null && last.killed;
        }

        boolean afterAnyKill() {
            return last != null && (last.killed || last.afterAnyKill());
        }
    }

    private final Checks checks;
    private final Map<String, Work> works = new LinkedHashMap<>();
    private final List<Turn> turns = new ArrayList<>();

    private Moved(Checks checks) {
        this.checks = checks;
        works.put("groups", new MovedGroups());
        works.put("queries", new MovedQueries());
        works.put("filters", new MovedFilters());
        works.put("transactions", new MovedTransactions());
        works.put("timers", new MovedTimers());
        works.put("delays", new MovedDelays());
    }

    static void run(Checks checks) throws Exception {
        Moved moved = new Moved(checks);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("found")) {
                moved.turns.get(moved.turns.size() - 1).killed = words[3].equals("killed");
                moved.found(moved.turn(Integer.parseInt(words[1]), words[2]));
            } else {
                moved.leave(moved.turn(Integer.parseInt(words[1]), words[2]));
            }
            System.out.println("done: " + line);
        }
    }

    private Turn turn(int number, String broker) {
        if (number == turns.size()) {
            turns.add(new Turn(number, broker, number == 0 ? null : turns.get(number - 1)));
        }
        return turns.get(number);
    }

    private void found(Turn turn) throws InterruptedException {
        String broker = turn.atJava ? "_java_finds_" : "_ours_finds_";
        works.forEach((name, work) ->
            checks.start("moved_" + turn.number + broker + name, "moved_" + name, session -> work.found(session, turn)));
        checks.await();
    }

    private void leave(Turn turn) throws InterruptedException {
        works.forEach((name, work) -> checks.start("moved_" + turn.number + "_leaves_" + name, "moved_" + name, session -> {
            work.leave(session, turn);
            return "";
        }));
        checks.await();
    }
}
