package interop;

import java.util.HashMap;
import java.util.Map;

/** The command line: {@code --key value} pairs around one command. */
final class Options {
    final String command;
    private final Map<String, String> values;

    private Options(String command, Map<String, String> values) {
        this.command = command;
        this.values = values;
    }

    static Options parse(String[] args) {
        Map<String, String> values = new HashMap<>();
        String command = "";
        for (int at = 0; at < args.length; at++) {
            if (!args[at].startsWith("--")) {
                command = args[at];
            } else if (at + 1 < args.length) {
                values.put(args[at].substring(2), args[++at]);
            } else {
                throw new IllegalArgumentException(args[at] + " needs a value");
            }
        }
        return new Options(command, values);
    }

    /** Address of the name server, host:port. */
    String namesrv() {
        return required("namesrv");
    }

    /** Address of the broker itself, for the checks that speak to it without the client's own tests in the way. */
    String broker() {
        return required("broker");
    }

    /** Part of every topic and group name, so that runs against one broker do not meet. */
    String runId() {
        return required("run");
    }

    /** The file of acknowledged message ids that the kill test writes and reads. */
    String ackedFile() {
        return required("acked");
    }

    /** The file to which a moved store's messages are written. */
    String ledgerFile() {
        return required("ledger");
    }

    boolean selects(String check) {
        String only = values.get("only");
        return only == null || check.contains(only);
    }

    private String required(String key) {
        String value = values.get(key);
        if (value == null) {
            throw new IllegalArgumentException("--" + key + " is missing");
        }
        return value;
    }
}
