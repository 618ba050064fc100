package interop;

import static interop.Checks.that;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.rocketmq.tools.command.MQAdminStartup;
import org.apache.rocketmq.tools.command.offset.GetConsumerStatusCommand;

/**
 * The commands of mqadmin, run in this process: a process for each would take most of the time to start.
 *
 * <p>What a command prints is all that it says: it ends in the same way whether it worked or not. Only one runs at a time,
 * since it has the standard output of the process.
 */
final class Tool {
    /** Not before the home is known: the class reads it when it is loaded. */
    private static final class Commands extends MQAdminStartup {
        static void run(String... arguments) {
            // Some commands keep a client that they have shut down, so each run gets commands of its own.
            subCommandList.clear();
            // The only one that is not in the list by itself.
            initCommand(new GetConsumerStatusCommand());
            main0(arguments, null);
        }
    }

    static {
        Path home = Path.of(System.getProperty("user.home"), "mqadmin");
        try {
            Files.createDirectories(home.resolve("conf"));
            Files.writeString(home.resolve("conf/logback_tools.xml"),
                "<configuration><root level=\"OFF\"/></configuration>");
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        System.setProperty("rocketmq.home.dir", home.toString());
    }

    /** What the command printed, when it worked. */
    static String run(Session session, String... command) {
        String output = runFailing(session, command);
        that(!output.contains("Exception"), String.join(" ", command) + " printed: " + output);
        return output;
    }

    /** What the command printed, stack traces included. */
    static String runFailing(Session session, String... command) {
        String[] arguments = Stream.concat(Arrays.stream(command), Stream.of("-n", session.options().namesrv()))
            .toArray(String[]::new);
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream captured = new ByteArrayOutputStream();
        PrintStream capture = new PrintStream(captured, true, StandardCharsets.UTF_8);
        System.setOut(capture);
        System.setErr(capture);
        try {
            Commands.run(arguments);
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
        return captured.toString(StandardCharsets.UTF_8);
    }

    /** The lines of a table whose first column is this, each as its columns. */
    static List<String[]> rowsOf(String output, String first) {
        return rows(output, first).stream().filter(row -> row[0].equals(first)).toList();
    }

    /** The lines of a table that hold a text, each as its columns. */
    static List<String[]> rows(String output, String text) {
        return output.lines().filter(line -> line.contains(text)).map(line -> line.trim().split("\\s+")).toList();
    }

    /** The one line that holds the text, as its columns. */
    static String[] row(String output, String text) {
        List<String[]> rows = rows(output, text);
        that(rows.size() == 1, rows.size() + " lines with " + text + " in: " + output);
        return rows.get(0);
    }
}
