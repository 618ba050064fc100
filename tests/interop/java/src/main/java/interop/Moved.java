package interop;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Path;
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
 * expire NUMBER BROKER OFFSET           have this one remove what lies before this place of the log
 * leave NUMBER BROKER                   leave work with this one
 * </pre>
 *
 * <p>Whatever a broker showed and acknowledged is in a ledger, with which everything is compared at the begin and the end of
 * each turn. At the end it is written to a file, for whoever looks at the store when no broker has it.
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

        Turn before() {
            return last;
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
    private final Ledger ledger = new Ledger();
    private final MovedBulk bulk = new MovedBulk(ledger);
    private final MovedStream stream = new MovedStream(ledger);
    private final Map<String, Work> works = new LinkedHashMap<>();
    private final List<Turn> turns = new ArrayList<>();

    private Moved(Checks checks) {
        this.checks = checks;
        works.put("shapes", new MovedShapes(ledger));
        works.put("groups", new MovedGroups());
        works.put("queries", new MovedQueries());
        works.put("filters", new MovedFilters());
        works.put("transactions", new MovedTransactions());
        works.put("timers", new MovedTimers());
        works.put("delays", new MovedDelays());
        works.put("retries", new MovedRetries());
    }

    static void run(Checks checks) throws Exception {
        Moved moved = new Moved(checks);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            Turn turn = moved.turn(Integer.parseInt(words[1]), words[2]);
            switch (words[0]) {
                case "found" -> moved.found(turn, words[3].equals("killed"));
                case "expire" -> moved.expire(turn, Long.parseLong(words[3]));
                default -> moved.leave(turn);
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

    private void found(Turn turn, boolean killed) throws Exception {
        turn.last.killed = killed;
        stream.ended();
        check(turn, "finds", "ledger", MovedBulk.NAME, session -> ledger.look(session, turn, true));
        if (bulk.isGone()) {
            check(turn, "finds", "gone", MovedBulk.NAME, session -> bulk.goOn(session, turn));
        }
        works.forEach((name, work) ->
            checks.start(name(turn, "finds", name), "moved_" + name, session -> work.found(session, turn)));
        checks.start(name(turn, "finds", "stream"), "moved_stream", session -> stream.found(session, turn));
        checks.await();
    }

    /** Everything is looked at once more before anything is added: here it shows if a broker has removed too much. */
    private void expire(Turn turn, long logBegin) throws Exception {
        check(turn, "expires", "bulk", MovedBulk.NAME, session -> bulk.expire(session, logBegin));
        check(turn, "expires", "ledger", MovedBulk.NAME, session -> ledger.look(session, turn, true));
    }

    private void leave(Turn turn) throws Exception {
        check(turn, "leaves", "bulk", MovedBulk.NAME, session -> bulk.leave(session, turn));
        works.forEach((name, work) -> checks.start(name(turn, "leaves", name), "moved_" + name, session -> {
            work.leave(session, turn);
            return "";
        }));
        checks.await();
        check(turn, "leaves", "stream", "moved_stream", session -> {
            stream.leave(session, turn);
            return "";
        });
        check(turn, "leaves", "ledger", MovedBulk.NAME, session -> {
            String seen = ledger.look(session, turn, false);
            ledger.write(Path.of(session.options().ledgerFile()));
            return seen;
        });
    }

    /** One check beside which there is no other. */
    private void check(Turn turn, String does, String what, String sessionName, Checks.Check check)
        throws InterruptedException {
        checks.start(name(turn, does, what), sessionName, check);
        checks.await();
    }

    private String name(Turn turn, String does, String what) {
        String begun = turns.get(0).atJava ? "java_first_" : "ours_first_";
        return begun + turn.number + (turn.atJava ? "_java_" : "_ours_") + does + "_" + what;
    }
}
