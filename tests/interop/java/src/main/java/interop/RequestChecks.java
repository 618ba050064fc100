package interop;

import static interop.Checks.equal;
import static interop.Checks.that;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;

/** Requests that are messages, with replies that the broker brings to the one who asked. */
final class RequestChecks {
    private static final int SYSTEM_ERROR = 1;
    private static final long TIMEOUT_MS = 10_000;

    static void run(Checks checks) {
        checks.start("request_sync", RequestChecks::sync);
        checks.start("request_async", RequestChecks::async);
        checks.start("request_timeout", RequestChecks::timeout);
        checks.start("request_of_client_gone", RequestChecks::clientGone);
    }

    /** Two clients ask at the same time and each gets its own replies. */
    static String sync(Session session) throws Exception {
        DefaultMQProducer first = session.producer();
        DefaultMQProducer second = session.producer();
        session.createTopic(first, 2);
        List<MessageExt> requests = answer(session);
        for (int number = 0; number < 10; number++) {
            DefaultMQProducer producer = number % 2 == 0 ? first : second;
            Message request = session.message("request " + number);
            Message reply = producer.request(request, TIMEOUT_MS);
            equal("reply to request " + number, new String(reply.getBody(), StandardCharsets.UTF_8), "body of the reply");
            equal("DefaultCluster_REPLY_TOPIC", reply.getTopic(), "topic of the reply");
            equal("reply", reply.getProperty("MSG_TYPE"), "MSG_TYPE");
            equal(request.getProperty("CORRELATION_ID"), reply.getProperty("CORRELATION_ID"), "CORRELATION_ID");
            equal(producer.buildMQClientId(), reply.getProperty("REPLY_TO_CLIENT"), "REPLY_TO_CLIENT");
            equal("kept", reply.getProperty("own"), "user property of the reply");
            for (String time : List.of("PUSH_REPLY_TIME", "ARRIVE_TIME")) {
                long age = System.currentTimeMillis() - Long.parseLong(reply.getProperty(time));
                that(age >= 0 && age < TIMEOUT_MS, time + " is " + age + " ms old");
            }
        }
        MessageExt request = requests.get(0);
        equal("DefaultCluster", request.getProperty("CLUSTER"), "CLUSTER of a request");
        equal(Long.toString(TIMEOUT_MS), request.getProperty("TTL"), "TTL of a request");
        equal(10, requests.size(), "requests");
        return "";
    }

    static String async(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 2);
        answer(session);
        Map<String, String> replies = new ConcurrentHashMap<>();
        for (int number = 0; number < 20; number++) {
            String text = "request " + number;
            producer.request(session.message(text), new RequestCallback() {
                @Override
                public void onSuccess(Message reply) {
                    replies.put(text, new String(reply.getBody(), StandardCharsets.UTF_8));
                }

                @Override
                public void onException(Throwable error) {
                    replies.put(text, error.toString());
                }
            }, TIMEOUT_MS);
        }
        Session.await("20 replies", 15, () -> replies.size() == 20);
        replies.forEach((request, reply) -> equal("reply to " + request, reply, "body of the reply"));
        return "";
    }

    static String timeout(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        long start = System.nanoTime();
        try {
            throw new AssertionError("reply: " + producer.request(session.message("nobody is there"), 1_500));
        } catch (RequestTimeoutException late) {
            long millis = (System.nanoTime() - start) / 1_000_000;
            that(millis >= 1_400 && millis < 5_000, "gave up after " + millis + " ms");
        }
        // The request is a message like others and is there for who comes later.
        equal(1L, session.stored(producer), "stored messages");
        return "";
    }

    /** A reply that cannot be brought is refused, and stored nevertheless. */
    static String clientGone(Session session) throws Exception {
        DefaultMQProducer producer = session.producer();
        session.createTopic(producer, 1);
        Message request = session.message("request");
        MessageAccessor.putProperty(request, "CLUSTER", "DefaultCluster");
        MessageAccessor.putProperty(request, "CORRELATION_ID", session.topic());
        MessageAccessor.putProperty(request, "REPLY_TO_CLIENT", "nobody@there");
        MessageAccessor.putProperty(request, "TTL", "1000");
        Message reply = MessageUtil.createReplyMessage(request, "reply".getBytes(StandardCharsets.UTF_8));
        producer.setRetryTimesWhenSendFailed(0);
        try {
            throw new AssertionError("brought: " + producer.send(reply));
        } catch (MQClientException refused) {
            equal(SYSTEM_ERROR, refused.getResponseCode(), "code");
            String text = refused.getCause().getMessage();
            that(text.contains("push reply message fail, channel of <nobody@there> not found."), "text: " + text);
        }
        MessageExt stored = session.awaitIn("DefaultCluster_REPLY_TOPIC", 10,
            message -> session.topic().equals(message.getProperty("CORRELATION_ID")));
        equal("reply", Received.text(stored), "body of the stored reply");
        return "";
    }

    /** Somebody who answers all requests; gives them. */
    private static List<MessageExt> answer(Session session) throws Exception {
        List<MessageExt> requests = new CopyOnWriteArrayList<>();
        DefaultMQProducer replies = session.producer();
        DefaultMQPushConsumer consumer = session.pushConsumer();
        consumer.subscribe(session.topic(), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            for (MessageExt request : batch) {
                requests.add(request);
                try {
                    byte[] body = ("reply to " + Received.text(request)).getBytes(StandardCharsets.UTF_8);
                    Message reply = MessageUtil.createReplyMessage(request, body);
                    reply.putUserProperty("own", "kept");
                    replies.send(reply);
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return requests;
    }
}
