package interop;

import static interop.Checks.contains;
import static interop.Checks.equal;
import static interop.Checks.that;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** The commands of mqadmin about the name server, and those that write what they find to files. */
final class AdminNamesrvChecks {
    static void run(Checks checks) {
        checks.run("mqadmin_updateKvConfig", AdminNamesrvChecks::kvConfig);
        checks.run("mqadmin_updateOrderConf", AdminNamesrvChecks::orderConf);
        checks.run("mqadmin_updateNamesrvConfig", AdminNamesrvChecks::config);
        checks.run("mqadmin_exportMetadata", AdminNamesrvChecks::exportMetadata);
        checks.run("mqadmin_exportConfigs", AdminNamesrvChecks::exportConfigs);
    }

    static String kvConfig(Session session) throws Exception {
        String space = session.topic();
        DefaultMQAdminExt admin = session.admin();
        String output = Tool.run(session, "updateKvConfig", "-s", space, "-k", "key", "-v", "value = 1");
        equal("create or update kv config to namespace success.", output.trim(), "answer");
        equal("value = 1", admin.getKVConfig(space, "key"), "value");
        equal(Map.of("key", "value = 1"), admin.getKVListByNamespace(space).getTable(), "values of the namespace");
        for (int time = 0; time < 2; time++) {
            // What is not there is deleted with success as well.
            output = Tool.run(session, "deleteKvConfig", "-s", space, "-k", "key");
            equal("delete kv config from namespace success.", output.trim(), "answer to the deletion");
        }
        try {
            throw new AssertionError("still there: " + admin.getKVConfig(space, "key"));
        } catch (MQClientException refused) {
            equal(22, refused.getResponseCode(), "code for a key that is not there");
            contains(refused.getErrorMessage(), "No config item, Namespace: " + space + " Key: key");
        }
        return "";
    }

    static String orderConf(Session session) throws Exception {
        String topic = session.topic();
        String output = Tool.run(session, "updateOrderConf", "-t", topic, "-m", "put", "-v", "broker-x:3;broker-y:2");
        equal("update orderConf success. topic=[" + topic + "], orderConf=[broker-x:3;broker-y:2]", output, "answer");
        output = Tool.run(session, "updateOrderConf", "-t", topic, "-m", "get");
        equal("get orderConf success. topic=[" + topic + "], orderConf=[broker-x:3;broker-y:2] ", output, "what is stored");
        output = Tool.run(session, "updateOrderConf", "-t", topic, "-m", "delete");
        equal("delete orderConf success. topic=[" + topic + "]", output, "answer to the deletion");
        output = Tool.runFailing(session, "updateOrderConf", "-t", topic, "-m", "get");
        contains(output, "CODE: 22  DESC: No config item, Namespace: ORDER_TOPIC_CONFIG Key: " + topic);
        return "";
    }

    static String config(Session session) throws Exception {
        String namesrv = session.options().namesrv();
        String output = Tool.run(session, "getNamesrvConfig");
        that(output.startsWith("============" + namesrv + "============"), output);
        Map<String, String> config = AdminBrokerChecks.lines(output, "=");
        equal(namesrv.split(":")[1], config.get("listenPort"), "listenPort");
        equal("false", config.get("orderMessageEnable"), "orderMessageEnable");
        for (String key : List.of("kvConfigPath", "configStorePath", "productEnvName", "clusterTest")) {
            that(config.containsKey(key), key + " is missing in " + config);
        }
        for (String value : List.of("true", "false")) {
            output = Tool.run(session, "updateNamesrvConfig", "-k", "orderMessageEnable", "-v", value);
            contains(output, "update name server config success![" + namesrv + "]\norderMessageEnable : " + value);
            equal(value, AdminBrokerChecks.lines(Tool.run(session, "getNamesrvConfig"), "=")
                .get("orderMessageEnable"), "value after the change");
        }
        return "";
    }

    static String exportMetadata(Session session) throws Exception {
        String broker = session.options().broker();
        session.createTopic(session.producer(), 3);
        Tool.run(session, "updateSubGroup", "-b", broker, "-g", session.group(), "-r", "9");
        String all = export(session, "exportMetadata", "metadata.json", "-c", "DefaultCluster");
        String topics = export(session, "exportMetadata", "topic.json", "-b", broker, "-t");
        String groups = export(session, "exportMetadata", "subscriptionGroup.json", "-b", broker, "-g");
        contains(topics, "\"" + session.topic() + "\":{");
        that(!topics.contains("\"TBW102\":{"), "a system topic is in topic.json");
        contains(groups, "\"" + session.group() + "\":{");
        contains(groups, "\"retryMaxTimes\":9");
        for (String part : List.of("\"topicConfigTable\":{", "\"subscriptionGroupTable\":{", "\"" + session.topic() + "\":{",
            "\"" + session.group() + "\":{")) {
            contains(all, part);
        }
        return "";
    }

    static String exportConfigs(Session session) throws Exception {
        String name = AdminTopicChecks.brokerName(session);
        String configs = export(session, "exportConfigs", "configs.json", "-c", "DefaultCluster");
        for (String part : List.of("\"namesrvSize\":1", "\"masterBrokerSize\":1", "\"slaveBrokerSize\":0",
            "\"" + name + "\":{", "\"brokerRole\":\"ASYNC_MASTER\"", "\"traceTopicEnable\":\"true\"",
            "\"fileReservedTime\":\"72\"")) {
            contains(configs, part);
        }
        String metrics = export(session, "exportMetrics", "metrics.json", "-c", "DefaultCluster");
        for (String part : List.of("\"" + name + "\":{", "\"rocketmqVersion\":\"V4_9_7\"", "\"topicSize\":",
            "\"groupSize\":", "\"commitLogDiskRatio\":\"0.", "\"messageAverageSize\":\"", "\"normalInTps\":",
            "\"totalOneDayNum\":{")) {
            contains(metrics, part);
        }
        return "";
    }

    /** What the command wrote to the file, in a folder of its own that is gone again. */
    private static String export(Session session, String command, String file, String... options) throws Exception {
        Path folder = Files.createTempDirectory("interop-export");
        try {
            String[] arguments = new String[options.length + 3];
            arguments[0] = command;
            System.arraycopy(options, 0, arguments, 1, options.length);
            arguments[options.length + 1] = "-f";
            arguments[options.length + 2] = folder.toString();
            that(Tool.run(session, arguments).startsWith("export " + folder.resolve(file) + " success"), command);
            return Files.readString(folder.resolve(file));
        } finally {
            Files.deleteIfExists(folder.resolve(file));
            Files.delete(folder);
        }
    }
}
