package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.util.Random;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.protocol.header.SendMessageRequestHeader;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyRemotingClient;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** What a broker must refuse, with the codes of RocketMQ. */
final class RefusalChecks {
    private static final int SEND_MESSAGE = 10;
    private static final int SYSTEM_ERROR = 1;
    private static final int REQUEST_CODE_NOT_SUPPORTED = 3;
    private static final int MESSAGE_ILLEGAL = 13;
    private static final int TOPIC_NOT_EXIST = 17;

    static void run(Checks checks) {
        checks.run("refuse_illegal_topic", RefusalChecks::illegalTopic);
        checks.run("refuse_unknown_topic", RefusalChecks::unknownTopic);
        checks.run("refuse_big_message", RefusalChecks::bigMessage);
        checks.run("refuse_long_properties", RefusalChecks::longProperties);
        checks.run("refuse_unknown_code", RefusalChecks::unknownCode);
    }

    /** The client tests the name as well, so this one goes to the broker without it. */
    static String illegalTopic(Session session) throws Exception {
        RemotingCommand reply = rawSend(session, "no spaces/in topics", "TBW102");
        equal(SYSTEM_ERROR, reply.getCode(), "code");
        that(reply.getRemark().contains("illegal characters"), "remark: " + reply.getRemark());
        return "";
    }

    static String unknownTopic(Session session) throws Exception {
        RemotingCommand reply = rawSend(session, session.topic(), "no_such_template");
        equal(TOPIC_NOT_EXIST, reply.getCode(), "code");
        that(reply.getRemark().contains(session.topic()), "remark: " + reply.getRemark());
        return "";
    }

    static String bigMessage(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        producer.setMaxMessageSize(8 << 20);
        byte[] body = new byte[5 << 20];
        new Random(1).nextBytes(body);
        equal(MESSAGE_ILLEGAL, refusal(producer, new Message(session.topic(), body)), "code");
        equal(0L, session.stored(producer), "stored messages");
        return "";
    }

    static String longProperties(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Message message = session.message("small body");
        message.putUserProperty("long", "x".repeat(33_000));
        equal(MESSAGE_ILLEGAL, refusal(producer, message), "code");
        equal(0L, session.stored(producer), "stored messages");
        return "";
    }

    static String unknownCode(Session session) throws Exception {
        RemotingCommand reply = invoke(session, RemotingCommand.createRequestCommand(31_999, null));
        equal(REQUEST_CODE_NOT_SUPPORTED, reply.getCode(), "code");
        return "";
    }

    /** The code with which the broker refuses the message. */
    private static int refusal(DefaultMQProducer producer, Message message) throws Exception {
        try {
            throw new AssertionError("taken: " + producer.send(message));
        } catch (MQBrokerException refused) {
            that(!refused.getErrorMessage().isBlank(), "no text with code " + refused.getResponseCode());
            return refused.getResponseCode();
        }
    }

    private static RemotingCommand rawSend(Session session, String topic, String template) throws Exception {
        SendMessageRequestHeader header = new SendMessageRequestHeader();
        header.setProducerGroup(session.group());
        header.setTopic(topic);
        header.setDefaultTopic(template);
        header.setDefaultTopicQueueNums(4);
        header.setQueueId(0);
        header.setSysFlag(0);
        header.setBornTimestamp(System.currentTimeMillis());
        header.setFlag(0);
        RemotingCommand request = RemotingCommand.createRequestCommand(SEND_MESSAGE, header);
        request.setBody("body".getBytes());
        return invoke(session, request);
    }

    /** The broker's answer to a request that no client of RocketMQ sends in this form. */
    static RemotingCommand invoke(Session session, RemotingCommand request) throws Exception {
        NettyRemotingClient client = new NettyRemotingClient(new NettyClientConfig());
        client.start();
        try {
            return client.invokeSync(session.options().broker(), request, 3_000);
        } finally {
            client.shutdown();
        }
    }
}
