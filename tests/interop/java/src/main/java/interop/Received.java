package interop;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.message.MessageExt;

/** A listener that keeps what it was given. */
final class Received implements MessageListenerConcurrently {
    final List<MessageExt> messages = new CopyOnWriteArrayList<>();

    @Override
    public ConsumeConcurrentlyStatus consumeMessage(List<MessageExt> batch, ConsumeConcurrentlyContext context) {
        messages.addAll(batch);
        return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    }

    void await(int count, int seconds) throws InterruptedException {
        try {
            Session.await(count + " messages", seconds, () -> messages.size() >= count);
        } catch (AssertionError late) {
            throw new AssertionError(late.getMessage() + ", only " + messages.size());
        }
    }

    /** Each body text and how often it came. */
    TreeMap<String, Integer> bodies() {
        TreeMap<String, Integer> counts = new TreeMap<>();
        for (MessageExt message : messages) {
            counts.merge(text(message), 1, Integer::sum);
        }
        return counts;
    }

    static String text(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }
}
