package interop;

/** Checks of a RocketMQ broker through the official Java client. Each command is one group of checks. */
public final class Main {
    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args);
        Checks checks = new Checks(options);
        switch (options.command) {
            case "send" -> SendChecks.run(checks);
            case "consume" -> ConsumeChecks.run(checks);
            case "rebalance" -> RebalanceChecks.run(checks);
            case "pull" -> PullChecks.run(checks);
            case "offsets" -> OffsetChecks.run(checks);
            case "refuse" -> RefusalChecks.run(checks);
            case "delay" -> DelayChecks.run(checks);
            case "retry" -> RetryChecks.run(checks);
            case "send-back" -> SendBackChecks.run(checks);
            case "transaction" -> TransactionChecks.run(checks);
            case "order" -> OrderChecks.run(checks);
            case "filter" -> FilterChecks.run(checks);
            case "query" -> QueryChecks.run(checks);
            case "reset" -> ResetChecks.run(checks);
            case "request" -> RequestChecks.run(checks);
            case "namespace" -> NamespaceChecks.run(checks);
            case "trace" -> TraceChecks.run(checks);
            case "message" -> MessageChecks.run(checks);
            case "connection" -> ConnectionChecks.run(checks);
            case "beyond" -> BeyondChecks.run(checks);
            case "mqadmin-topics" -> AdminTopicChecks.run(checks);
            case "mqadmin-groups" -> AdminGroupChecks.run(checks);
            case "mqadmin-offsets" -> AdminOffsetChecks.run(checks);
            case "mqadmin-messages" -> AdminMessageChecks.run(checks);
            case "mqadmin-broker" -> AdminBrokerChecks.run(checks);
            case "mqadmin-namesrv" -> AdminNamesrvChecks.run(checks);
            case "short" -> ShortChecks.run(checks);
            case "parked-fill" -> checks.run("parked_fill", ParkedCheck::fill);
            case "parked" -> checks.run("parked_sends", ParkedCheck::run);
            case "moved" -> Moved.run(checks);
            case "kill-produce" -> checks.run("kill_produce", KillCheck::produce);
            case "kill-consume" -> checks.run("kill_consume", KillCheck::consume);
            default -> throw new IllegalArgumentException("unknown command '" + options.command + "'");
        }
        // The client leaves threads behind that are not daemons.
        System.exit(checks.finish());
    }
}
