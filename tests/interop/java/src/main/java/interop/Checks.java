package interop;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Runs named checks, one after the other or beside each other, and prints a line for each, and the count at the end. */
final class Checks {
    /** A check throws when what it saw is not what a RocketMQ broker does; what it returns is printed behind its name. */
    interface Check {
        String run(Session session) throws Exception;
    }

    private final Options options;
    private final List<Thread> beside = new ArrayList<>();
    private int passed;
    private int failed;

    Checks(Options options) {
        this.options = options;
    }

    /** Runs one check with clients, topic and groups of its own, and closes the clients whatever happens. */
    void run(String name, Check check) {
        run(name, name, check);
    }

    private void run(String name, String sessionName, Check check) {
        if (!options.selects(name)) {
            return;
        }
        long start = System.nanoTime();
        try (Session session = new Session(options, sessionName)) {
            String detail = check.run(session);
            long millis = (System.nanoTime() - start) / 1_000_000;
            report(true, String.format("ok %s (%s%d ms)", name, detail.isEmpty() ? "" : detail + ", ", millis));
        } catch (Throwable error) {
            report(false, String.format("FAILED %s %s", name, oneLine(error)));
        }
    }

    /** Starts a check beside those that run already: checks that mostly wait are waited for together. */
    void start(String name, Check check) {
        start(name, name, check);
    }

    /** Starts a check with the topic and the groups of a session that checks of other names have as well. */
    void start(String name, String sessionName, Check check) {
        Thread thread = new Thread(() -> run(name, sessionName, check), name);
        thread.start();
        beside.add(thread);
    }

    /** Waits for what was started, prints the count and gives the exit code of the process. */
    int finish() throws InterruptedException {
        await();
        System.out.printf("%d passed, %d failed%n", passed, failed);
        return failed == 0 && passed > 0 ? 0 : 1;
    }

    void await() throws InterruptedException {
        for (Thread thread : beside) {
            thread.join();
        }
        beside.clear();
    }

    private synchronized void report(boolean ok, String line) {
        if (ok) {
            passed++;
        } else {
            failed++;
        }
        System.out.println(line);
    }

    static void that(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    static void contains(String text, String part) {
        that(text.contains(part), part + " is not in " + text);
    }

    static void equal(Object expected, Object found, String what) {
        that(Objects.equals(expected, found), what + ": expected " + expected + ", found " + found);
    }

    /** The causes too: the client wraps what the broker answered. */
    private static String oneLine(Throwable error) {
        StringBuilder text = new StringBuilder(String.valueOf(error instanceof AssertionError ? error.getMessage() : error));
        for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
            text.append("; caused by ").append(cause);
        }
        return text.toString().replaceAll("\\s+", " ");
    }
}
