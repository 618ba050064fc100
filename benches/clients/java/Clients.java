import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/** What the official Java client takes for the work of benches/clients: the same arguments, the same line of JSON. */
public class Clients {
    private static String topic;
    private static int count, bytes, workers;

    public static void main(String[] args) throws Exception {
        topic = args[1];
        count = Integer.parseInt(args[2]);
        bytes = Integer.parseInt(args[3]);
        workers = Integer.parseInt(args[4]);
        double[] spent = args[0].equals("consume") ? consume() : send(args[0]);
        System.out.printf("{\"messages\":%d,\"seconds\":%.3f,\"cpu_seconds\":%.3f}%n", count, spent[0], spent[1]);
        System.exit(0);
    }

    private static double[] send(String mode) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("bench-java");
        producer.setRetryTimesWhenSendAsyncFailed(2);
        producer.start();
        run(mode, producer, count / 10);
        double wall = System.nanoTime(), cpu = cpu();
        run(mode, producer, count);
        double[] spent = {(System.nanoTime() - wall) / 1e9, cpu() - cpu};
        producer.shutdown();
        return spent;
    }

    private static void run(String mode, DefaultMQProducer producer, int messages) throws Exception {
        if (mode.equals("async")) {
            async(producer, messages);
            return;
        }
        List<Thread> threads = new ArrayList<>();
        for (int worker = 0; worker < workers; worker++) {
            Thread thread = new Thread(() -> {
                try {
                    for (int sent = 0; sent < messages / workers; sent++) {
                        producer.send(new Message(topic, new byte[bytes]));
                    }
                } catch (Exception error) {
                    throw new RuntimeException(error);
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private static void async(DefaultMQProducer producer, int messages) throws Exception {
        Semaphore room = new Semaphore(workers);
        for (int sent = 0; sent < messages; sent++) {
            room.acquire();
            producer.send(new Message(topic, new byte[bytes]), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    room.release();
                }

                @Override
                public void onException(Throwable error) {
                    error.printStackTrace();
                    System.exit(1);
                }
            });
        }
        room.acquire(workers);
    }

    private static double[] consume() throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("bench-java-" + ProcessHandle.current().pid());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeThreadMin(workers);
        consumer.setConsumeThreadMax(workers);
        consumer.subscribe(topic, "*");
        AtomicLong seen = new AtomicLong();
        CountDownLatch warm = new CountDownLatch(1), done = new CountDownLatch(1);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            long now = seen.addAndGet(messages.size());
            if (now >= count / 10) {
                warm.countDown();
            }
            if (now >= count + count / 10) {
                done.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        warm.await();
        double wall = System.nanoTime(), cpu = cpu();
        done.await();
        return new double[] {(System.nanoTime() - wall) / 1e9, cpu() - cpu};
    }

    /** CPU seconds of the whole process. */
    private static double cpu() {
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime() / 1e9;
    }
}
