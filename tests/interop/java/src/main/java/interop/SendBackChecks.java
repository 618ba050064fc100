package interop;

import static interop.Checks.equal;

import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.header.ConsumerSendMsgBackRequestHeader;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** Consumers that give messages back themselves, and brokers that do not take them. */
final class SendBackChecks {
    private static final int CONSUMER_SEND_MSG_BACK = 36;
    private static final int SUCCESS = 0;
    private static final int SYSTEM_ERROR = 1;

    static void run(Checks checks) {
        checks.start("send_back", SendBackChecks::sendBack);
        checks.start("send_back_missing", SendBackChecks::missing);
        checks.start("send_back_ordinarily", SendBackChecks::ordinarily);
        checks.start("send_back_ordinarily_dead", SendBackChecks::ordinarilyDead);
    }

    /** A consumer that pulls gives a message back itself. */
    static String sendBack(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        SendResult sent = producer.send(RetryChecks.taggedMessage(session));
        session.awaitStored(producer, 1);
        DefaultMQPullConsumer consumer = session.pullConsumer(session.newInstance());
        MessageExt message = Session.readAll(consumer, queue).get(0);
        consumer.sendMessageBack(message, 1, queue.getBrokerName(), session.group());
        MessageExt again = session.awaitIn("%RETRY%" + session.group(), 10, found -> true);
        equal(1, again.getReconsumeTimes(), "reconsume times");
        equal(sent.getOffsetMsgId(), again.getProperty("ORIGIN_MESSAGE_ID"), "ORIGIN_MESSAGE_ID");
        RetryChecks.checkContent(again);
        return "";
    }

    /** What is not a message cannot be sent back; the client would send it anew, so this goes to the broker without it. */
    static String missing(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        SendResult sent = producer.send(RetryChecks.taggedMessage(session));
        long offset = producer.viewMessage(session.topic(), sent.getOffsetMsgId()).getCommitLogOffset();
        for (long wrong : new long[] {offset + 1_000_000_000_000L, -1}) {
            RemotingCommand reply = rawSendBack(session, wrong);
            equal(SYSTEM_ERROR, reply.getCode(), "code for offset " + wrong);
            equal("look message by offset failed, " + wrong, reply.getRemark(), "remark");
        }
        RemotingCommand reply = rawSendBack(session, offset);
        equal(SUCCESS, reply.getCode(), "code for the right offset, " + reply.getRemark());
        return "";
    }

    /** When the broker refuses to take a message back, the client sends it to the retry topic as if it were new. */
    static String ordinarily(Session session) throws Exception {
        MessageExt waiting = sendBackOrdinarily(session, 0);
        equal(2, waiting.getQueueId(), "queue of the schedule in which the message waits");
        equal("%RETRY%" + session.group() + "_PULL", waiting.getProperty("REAL_TOPIC"), "REAL_TOPIC");
        equal("1", waiting.getProperty("RECONSUME_TIME"), "RECONSUME_TIME");
        equal("16", waiting.getProperty("MAX_RECONSUME_TIMES"), "MAX_RECONSUME_TIMES");
        RetryChecks.checkContent(waiting);
        return "";
    }

    /** One that has been consumed too often goes to the dead letters, but with the delay that the client asked for. */
    static String ordinarilyDead(Session session) throws Exception {
        MessageExt waiting = sendBackOrdinarily(session, 16);
        equal(17, waiting.getQueueId(), "queue of the schedule in which the message waits");
        equal("%DLQ%" + session.group() + "_PULL", waiting.getProperty("REAL_TOPIC"), "REAL_TOPIC");
        equal("0", waiting.getProperty("REAL_QID"), "REAL_QID");
        return "";
    }

    /** A message that the broker cannot find and that has been consumed so often, as it waits in the schedule. */
    private static MessageExt sendBackOrdinarily(Session session, int reconsumeTimes) throws Exception {
        DefaultMQProducer producer = session.producer();
        MessageQueue queue = session.createTopic(producer, 1).get(0);
        producer.send(RetryChecks.taggedMessage(session));
        session.awaitStored(producer, 1);
        DefaultMQPullConsumer consumer = session.pullConsumer(session.newInstance());
        MessageExt message = Session.readAll(consumer, queue).get(0);
        RetryChecks.awaitRoute(producer, "%RETRY%" + consumer.getConsumerGroup());
        message.setCommitLogOffset(1_000_000_000_000L);
        message.setReconsumeTimes(reconsumeTimes);
        consumer.sendMessageBack(message, 0, queue.getBrokerName(), consumer.getConsumerGroup());
        return RetryChecks.waiting(session, reconsumeTimes + 1, 10);
    }

    private static RemotingCommand rawSendBack(Session session, long offset) throws Exception {
        ConsumerSendMsgBackRequestHeader header = new ConsumerSendMsgBackRequestHeader();
        header.setGroup(session.group());
        header.setOriginTopic(session.topic());
        header.setOffset(offset);
        header.setDelayLevel(1);
        header.setMaxReconsumeTimes(16);
        return RefusalChecks.invoke(session, RemotingCommand.createRequestCommand(CONSUMER_SEND_MSG_BACK, header));
    }
}
