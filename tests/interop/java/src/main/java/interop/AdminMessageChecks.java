package interop;

import static interop.Checks.contains;
import static interop.Checks.equal;
import static interop.Checks.that;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/** The commands of mqadmin about messages. */
final class AdminMessageChecks {
    static void run(Checks checks) {
        checks.run("mqadmin_sendMessage", AdminMessageChecks::send);
        checks.run("mqadmin_queryMsg", AdminMessageChecks::query);
        checks.run("mqadmin_queryMsgById_again", AdminMessageChecks::again);
        checks.run("mqadmin_printMsg", AdminMessageChecks::print);
        checks.run("mqadmin_consumeMessage", AdminMessageChecks::consume);
        checks.run("mqadmin_queryCq", AdminMessageChecks::queryCq);
        checks.run("mqadmin_checkMsgSendRT", AdminMessageChecks::sendTimes);
        checks.run("mqadmin_queryMsgTraceById", AdminMessageChecks::trace);
    }

    static String send(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        String name = AdminTopicChecks.brokerName(session);
        String[] anywhere = Tool.row(Tool.run(session, "sendMessage", "-t", session.topic(), "-p", "by the tool"), name);
        equal("SEND_OK", anywhere[2], "result");
        String[] chosen = Tool.row(Tool.run(session, "sendMessage", "-t", session.topic(), "-p", "by the tool", "-k", "key",
            "-c", "Tag", "-b", name, "-i", "1"), name);
        equal(List.of(name, "1", "SEND_OK"), List.of(chosen).subList(0, 3), "result for a queue");
        session.awaitStored(producer, 2);
        Session.eventually("the message by its id", 10, () ->
            "Tag".equals(producer.viewMessage(session.topic(), chosen[3]).getTags()));
        return "";
    }

    /** One message by its offset id, its unique key, its key and its place. */
    static String query(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        SendResult sent = producer.send(message(session, "first"));
        producer.send(message(session, "second"));
        session.awaitStored(producer, 2);
        String name = AdminTopicChecks.brokerName(session);
        checkDetails(session, sent, Tool.run(session, "queryMsgById", "-i", sent.getOffsetMsgId()), true);
        Session.eventually("both messages in the index", 10, () ->
            producer.queryMessage(session.topic(), "key", 32, 0, Long.MAX_VALUE).getMessageList().size() == 2);
        checkDetails(session, sent,
            Tool.run(session, "queryMsgByUniqueKey", "-t", session.topic(), "-i", sent.getMsgId()), false);
        checkDetails(session, sent,
            Tool.run(session, "queryMsgByOffset", "-t", session.topic(), "-b", name, "-i", "0", "-o", "0"), true);
        String byKey = Tool.run(session, "queryMsgByKey", "-t", session.topic(), "-k", "key");
        equal(List.of(sent.getMsgId(), "0", "0"), List.of(Tool.row(byKey, sent.getMsgId())), "line of the first message");
        equal(3L, byKey.lines().count(), "lines for two messages");
        String nothing = Tool.runFailing(session, "queryMsgByKey", "-t", session.topic(), "-k", "none");
        contains(nothing, "CODE: 208  DESC: query message by key finished, but no message.");
        return "";
    }

    private static void checkDetails(Session session, SendResult sent, String output, boolean withId) throws Exception {
        if (withId) {
            equal(sent.getOffsetMsgId(), Tool.row(output, "OffsetID:")[1], "offset id");
        }
        equal(session.topic(), Tool.row(output, "Topic:")[1], "topic");
        equal("[Tag]", Tool.row(output, "Tags:")[1], "tags");
        equal("[key]", Tool.row(output, "Keys:")[1], "keys");
        equal("0", Tool.row(output, "Queue Offset:")[2], "queue offset");
        equal(session.options().broker(), Tool.row(output, "Store Host:")[2], "store host");
        String properties = Tool.row(output, "Properties:")[1] + output;
        that(properties.contains("UNIQ_KEY=" + sent.getMsgId()), "properties: " + properties);
        // The command writes the body to a file in a place of its own.
        Path body = Path.of(Tool.row(output, "Message Body Path:")[3]);
        equal("first", Files.readString(body), "body in the file");
        Files.delete(body);
        contains(output, "WARN: No Consumer");
    }

    /** By its id a message is consumed again and sent again. */
    static String again(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Received received = new Received();
        DefaultMQPushConsumer consumer = ConsumeChecks.consumer(session, "*", received);
        SendResult sent = producer.send(message(session, "again"));
        received.await(1, 20);
        String id = sent.getOffsetMsgId();
        ResetChecks.awaitProgress(session, session.admin(), consumer, 1);
        String output = Tool.run(session, "queryMsgById", "-i", id);
        contains(output, "MessageTrack [consumerGroup=" + session.group() + ", trackType=CONSUMED, exceptionDesc=null]");
        Files.delete(Path.of(Tool.row(output, "Message Body Path:")[3]));
        output = Tool.run(session, "queryMsgById", "-i", id, "-g", session.group(), "-d", consumer.buildMQClientId());
        contains(output, "consumeResult=CR_SUCCESS");
        equal(2, received.messages.size(), "deliveries after the message was consumed directly");
        output = Tool.run(session, "queryMsgById", "-i", id, "-s", "true");
        that(output.startsWith("prepare resend msg. originalMsgId=" + id) && output.contains("sendStatus=SEND_OK"), output);
        received.await(3, 20);
        return "";
    }

    static String print(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        String name = AdminTopicChecks.brokerName(session);
        SendResult sent = producer.send(message(session, "printed"));
        producer.send(session.message("Other", "filtered"));
        session.awaitStored(producer, 2);
        String output = Tool.run(session, "printMsg", "-t", session.topic(), "-s", "Tag");
        that(output.startsWith("minOffset=0, maxOffset=2, MessageQueue [topic=" + session.topic()), output);
        that(output.contains("MSGID: " + sent.getMsgId() + " ") && output.contains(" BODY: printed"), output);
        that(!output.contains("BODY: filtered"), output);
        output = Tool.run(session, "printMsgByQueue", "-t", session.topic(), "-a", name, "-i", "0", "-p", "true",
            "-d", "true", "-f", "true");
        that(output.contains(" BODY: printed") && output.contains(" BODY: filtered"), output);
        for (String tag : List.of("Tag", "Other")) {
            equal(List.of("Tag:", tag, "Count:", "1"), List.of(Tool.row(output, "Tag: " + tag)), "count of a tag");
        }
        return "";
    }

    static String consume(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        String name = AdminTopicChecks.brokerName(session);
        ConsumeChecks.send(session, producer, "", 0, 3);
        session.awaitStored(producer, 3);
        String output = Tool.run(session, "consumeMessage", "-t", session.topic());
        for (String text : List.of("Consume ok", "BODY: message 0", "BODY: message 2",
            "print msg finished. status=NO_NEW_MSG, offset=3")) {
            contains(output, text);
        }
        output = Tool.run(session, "consumeMessage", "-t", session.topic(), "-b", name, "-i", "0", "-o", "1", "-c", "1");
        that(output.contains("BODY: message 1") && !output.contains("BODY: message 2"), output);
        return "";
    }

    static String queryCq(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        SendResult sent = producer.send(message(session, "in the queue"));
        producer.send(message(session, "in the queue"));
        session.awaitStored(producer, 2);
        String output = Tool.run(session, "queryCq", "-t", session.topic(), "-q", "0", "-i", "0", "-c", "10",
            "-b", session.options().broker());
        contains(output, "max: 2, min: 0");
        long offset = Long.parseLong(sent.getOffsetMsgId().substring(16), 16);
        int size = producer.viewMessage(sent.getOffsetMsgId()).getStoreSize();
        contains(output, "ConsumeQueueData{physicOffset=" + offset + ", physicSize=" + size + ", tagsCode=" + "Tag".hashCode()
            + ", extendDataJson='null', bitMap='null', eval=false, msg='null'}");
        contains(output, "idx: 1");
        return "";
    }

    static String sendTimes(Session session) throws Exception {
        session.createTopic(session.producer(), 2);
        String name = AdminTopicChecks.brokerName(session);
        String output = Tool.run(session, "checkMsgSendRT", "-t", session.topic(), "-a", "6", "-s", "256");
        List<String[]> rows = Tool.rows(output, name);
        equal(6, rows.size(), "sends");
        rows.forEach(row -> equal("true", row[2], "result of a send"));
        contains(output, "Avg RT: ");
        output = Tool.run(session, "sendMsgStatus", "-b", name, "-c", "3");
        // The first send, which is for warming up, is not shown.
        equal(3, Tool.rows(output, "sendStatus=SEND_OK").size(), "sends to the broker's own topic");
        return "";
    }

    static String trace(Session session) throws Exception {
        session.createTopic(session.producer(), 1);
        SendResult sent = session.tracedProducer().send(message(session, "traced"));
        Session.eventually("the trace", 20, () ->
            Tool.runFailing(session, "queryMsgTraceById", "-i", sent.getMsgId()).contains("Pub"));
        String[] row = Tool.row(Tool.run(session, "queryMsgTraceById", "-i", sent.getMsgId()), "Pub");
        equal(session.group() + "_P", row[1], "group");
        equal("success", row[row.length - 1], "status");
        return "";
    }

    private static Message message(Session session, String text) {
        Message message = session.message("Tag", text);
        message.setKeys("key");
        return message;
    }
}
