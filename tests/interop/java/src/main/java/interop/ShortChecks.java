package interop;

/** The few checks that an old release of the client is run with. */
final class ShortChecks {
    static void run(Checks checks) {
        checks.run("send_sync", SendChecks::sync);
        checks.run("send_batch", SendChecks::batch);
        checks.run("send_compressed", SendChecks::compressed);
        checks.run("send_creates_topic", SendChecks::createsTopic);
        checks.run("push_all", ConsumeChecks::all);
        checks.run("push_tag_filter", ConsumeChecks::tagFilter);
        checks.run("push_offsets_survive", ConsumeChecks::offsetsSurvive);
        checks.run("lite_pull_subscribe", PullChecks::liteSubscribe);
    }
}
