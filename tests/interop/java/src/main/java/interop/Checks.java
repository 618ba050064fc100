package interop;

import java.util.Objects;

/** Runs named checks one after the other and prints a line for each, and the count at the end. */
final class Checks {
    /** A check throws when what it saw is not what a RocketMQ broker does; what it returns is printed behind its name. */
    interface Check {
        String run(Session session) throws Exception;
    }

    private final Options options;
    private int passed;
    private int failed;

    Checks(Options options) {
        this.options = options;
    }

    /** Runs one check with clients, topic and groups of its own, and closes the clients whatever happens. */
    void run(String name, Check check) {
        if (!options.selects(name)) {
            return;
        }
        long start = System.nanoTime();
        try (Session session = new Session(options, name)) {
            String detail = check.run(session);
            passed++;
            long millis = (System.nanoTime() - start) / 1_000_000;
            System.out.printf("ok %s (%s%d ms)%n", name, detail.isEmpty() ? "" : detail + ", ", millis);
        } catch (Throwable error) {
            failed++;
            System.out.printf("FAILED %s %s%n", name, oneLine(error));
        }
    }

    /** Prints the count and gives the exit code of the process. */
    int finish() {
        System.out.printf("%d passed, %d failed%n", passed, failed);
        return failed == 0 && passed > 0 ? 0 : 1;
    }

    static void that(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    static void equal(Object expected, Object found, String what) {
        that(Objects.equals(expected, found), what + ": expected " + expected + ", found " + found);
    }

    private static String oneLine(Throwable error) {
        String text = error instanceof AssertionError ? error.getMessage() : error.toString();
        return String.valueOf(text).replaceAll("\\s+", " ");
    }
}
