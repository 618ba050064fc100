'use strict';

// Checks of a RocketMQ broker through ali-ons: `node interop.js --namesrv HOST:PORT --broker HOST:PORT --run ID all`.

const fs = require('fs');
const { Consumer, Message, Producer } = require('ali-ons');

const LIMIT_MS = 45_000;

// The client prints every route update as a warning; its trouble reaches us as `error` events.
const logger = { info() {}, warn() {}, error() {}, debug() {} };

// The client insists on one, and would only ask it for the addresses of name servers, which it is given.
const httpclient = {
  async request(url) {
    throw new Error(`nobody should ask ${url}`);
  },
};

/** The clients, topic and groups of one check. */
class Session {
  constructor(namesrv, broker, topic) {
    this.namesrv = namesrv;
    this.broker = broker;
    this.topic = topic;
    this.clients = [];
    this.troubles = [];
  }

  /** A producer, and the topic: this client sends to no topic that has no route, so the broker is told to make it. */
  async producer() {
    const producer = await this.add(new Producer({ ...this.options(), producerGroup: `P_${this.topic}` }));
    const topic = { topicName: this.topic, readQueueNums: 4, writeQueueNums: 4, perm: 6,
      topicFilterType: 'SINGLE_TAG', topicSysFlag: 0, order: false };
    await producer._mqClient.createTopic(this.broker, 'TBW102', topic, 3000);
    // The broker tells the name server when it has answered us.
    const routed = () => producer._mqClient.getTopicRouteInfoFromNameServer(this.topic, 3000).then(() => true, () => false);
    const deadline = Date.now() + 10_000;
    while (!await routed()) {
      if (Date.now() > deadline) {
        throw new Error('the name server does not know the new topic');
      }
      await sleep(20);
    }
    return producer;
  }

  /** A clustered or broadcasting consumer whose messages go to `received`. */
  async consumer(tags, received, isBroadcast = false) {
    const consumer = new Consumer({
      ...this.options(),
      consumerGroup: `G_${this.topic}`,
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
      isBroadcast,
      // This client does not listen when the broker says that its group has changed.
      rebalanceInterval: 1_000,
    });
    consumer.subscribe(this.topic, tags, async message => {
      received.push({ body: message.body.toString(), tags: message.tags, keys: message.keys });
    });
    return this.add(consumer);
  }

  options() {
    const instanceName = `${process.pid}-${this.topic}-${this.clients.length}`;
    return { nameSrv: this.namesrv, httpclient, logger, instanceName, clientIP: '127.0.0.1' };
  }

  async add(client) {
    client.on('error', error => this.troubles.push(error));
    this.clients.push(client);
    await client.ready();
    return client;
  }

  async close() {
    for (const client of this.clients) {
      await client.close();
    }
  }
}

function texts(kind, count) {
  return Array.from({ length: count }, (_, number) => `${kind} ${number}`);
}

function sleep(millis) {
  return new Promise(done => setTimeout(done, millis));
}

/** Waits until something holds; `wanted` says what was waited for in vain. */
async function until(holds, wanted) {
  const deadline = Date.now() + LIMIT_MS;
  while (!holds()) {
    if (Date.now() > deadline) {
      throw new Error(`${wanted()} within ${LIMIT_MS / 1000} s`);
    }
    await sleep(20);
  }
}

async function awaitCount(session, received, count) {
  await until(() => received.length >= count, () => {
    const last = session.troubles.length ? ` (last error: ${session.troubles.at(-1).message})` : '';
    return `${count} messages: only ${received.length}${last}`;
  });
}

/** Each of the bodies came once and nothing else did. */
function exactly(received, bodies) {
  const found = received.map(message => message.body).sort();
  const expected = [...bodies].sort();
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`expected ${expected.length} messages, found ${found.length}, or other ones`);
  }
}

async function send(session, producer, bodies, tags = '') {
  for (const body of bodies) {
    const message = new Message(session.topic, tags, body);
    message.keys = [body.replace(' ', '-')];
    const result = await producer.send(message);
    if (result.sendStatus !== 'SEND_OK' || !result.msgId) {
      throw new Error(`odd result ${JSON.stringify(result)}`);
    }
  }
}

const checks = {
  async send_and_consume(session) {
    const bodies = texts('sent', 60);
    await send(session, await session.producer(), bodies);
    const received = [];
    await session.consumer('*', received);
    await awaitCount(session, received, bodies.length);
    exactly(received, bodies);
    if (received.some(message => message.keys !== message.body.replace(' ', '-'))) {
      throw new Error('a key was lost');
    }
  },

  async consume_while_waiting(session) {
    const producer = await session.producer();
    await send(session, producer, [ 'first' ]);
    const received = [];
    await session.consumer('*', received);
    await awaitCount(session, received, 1);
    const start = Date.now();
    await send(session, producer, texts('waiting', 20));
    await awaitCount(session, received, 21);
    return `20 messages sent and received in ${Date.now() - start} ms`;
  },

  async tag_filter(session) {
    const producer = await session.producer();
    await send(session, producer, texts('a', 20), 'TagA');
    await send(session, producer, texts('b', 20), 'TagB');
    await send(session, producer, texts('c', 20), 'TagC');
    const received = [];
    await session.consumer('TagA || TagC', received);
    await awaitCount(session, received, 40);
    exactly(received, [ ...texts('a', 20), ...texts('c', 20) ]);
  },

  async offsets_survive(session) {
    const producer = await session.producer();
    await send(session, producer, texts('before', 20));
    const before = [];
    const leaving = await session.consumer('*', before);
    await awaitCount(session, before, 20);
    await leaving.close();
    session.clients.splice(session.clients.indexOf(leaving), 1);
    await send(session, producer, texts('after', 10));
    const after = [];
    await session.consumer('*', after);
    await awaitCount(session, after, 10);
    exactly(after, texts('after', 10));
  },

  /** A second consumer takes queues over from the first; nothing is missing. */
  async rebalance(session) {
    const producer = await session.producer();
    const bodies = [ 'rebalance 0' ];
    await send(session, producer, bodies);
    const first = [];
    const second = [];
    await session.consumer('*', first);
    await awaitCount(session, first, 1);
    await session.consumer('*', second);
    const start = Date.now();
    while (second.length === 0 && Date.now() < start + LIMIT_MS) {
      bodies.push(`rebalance ${bodies.length}`);
      await send(session, producer, bodies.slice(-1));
      await sleep(20);
    }
    const waited = Date.now() - start;
    const missing = () => bodies.filter(body => ![ ...first, ...second ].some(message => message.body === body));
    await until(() => second.length > 0 && missing().length === 0,
      () => `${missing().length} of ${bodies.length} messages missing, ${second.length} to the second consumer`);
    return `shared after ${waited} ms`;
  },

  async broadcast(session) {
    const producer = await session.producer();
    const bodies = texts('broadcast', 20);
    await send(session, producer, bodies);
    const first = [];
    const second = [];
    await session.consumer('*', first, true);
    await session.consumer('*', second, true);
    await awaitCount(session, first, bodies.length);
    await awaitCount(session, second, bodies.length);
    exactly(first, bodies);
    exactly(second, bodies);
  },
};

const SENDERS = 4;

/** What a message with this key contains, so that the consumer can tell without having seen it sent. */
const killBody = key => `${key} `.repeat(40);

/** Nothing acknowledged is missing after the broker was killed: one process sends, another one reads. */
const killChecks = {
  /** Sends until standard input ends, and writes the key of every acknowledged message. */
  async 'kill-produce'(session) {
    const producer = await session.producer();
    const file = option('acked');
    fs.writeFileSync(file, '');
    let stop = false;
    process.stdin.on('end', () => { stop = true; }).resume();
    let acked = 0;
    let failed = 0;
    const sender = async number => {
      for (let count = 0; !stop; count++) {
        const key = `${number}-${count}`;
        try {
          const result = await producer.send(new Message(session.topic, '', killBody(key)));
          if (result.sendStatus !== 'SEND_OK') {
            throw new Error(result.sendStatus);
          }
          fs.appendFileSync(file, `${key}\n`);
          acked++;
        } catch (error) {
          failed++;
          // The broker is away; there is no use in asking a thousand times a second.
          await sleep(50);
        }
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, (_, number) => sender(number)));
    return `${acked} acknowledged, ${failed} failed`;
  },

  /** Reads the topic until every acknowledged message was seen. */
  async 'kill-consume'(session) {
    const missing = new Set(fs.readFileSync(option('acked'), 'utf8').split('\n').filter(Boolean));
    const acked = missing.size;
    const received = [];
    await session.consumer('*', received);
    let looked = 0;
    const seen = () => {
      for (; looked < received.length; looked++) {
        const key = received[looked].body.split(' ')[0];
        if (received[looked].body !== killBody(key)) {
          throw new Error(`${key} has another body than was sent`);
        }
        missing.delete(key);
      }
      return missing.size === 0;
    };
    await until(seen, () => `${missing.size} of ${acked} acknowledged messages missing`);
    return `${acked} acknowledged, ${looked} delivered`;
  },
};

/** The value of `--name` on the command line. */
function option(name) {
  const at = process.argv.indexOf(`--${name}`);
  if (at < 0) {
    throw new Error(`--${name} is missing`);
  }
  return process.argv[at + 1];
}

async function main() {
  let passed = 0;
  let failed = 0;
  const command = process.argv.at(-1);
  const kill = killChecks[command];
  for (const [ name, check ] of kill ? [[ command.replace('-', '_'), kill ]] : Object.entries(checks)) {
    // Both processes of the kill test speak of one topic.
    const topic = `interop_${option('run')}_${kill ? 'kill' : name}`;
    const session = new Session(option('namesrv'), option('broker'), topic);
    const start = Date.now();
    try {
      const detail = await check(session);
      await session.close();
      passed++;
      console.log(`ok ${name} (${detail ? `${detail}, ` : ''}${Date.now() - start} ms)`);
    } catch (error) {
      failed++;
      console.log(`FAILED ${name} ${error.message.replace(/\s+/g, ' ')}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  // Clients of failed checks still hold timers.
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}

main();
