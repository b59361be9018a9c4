// A consumer with rhea, as the platform's official sample for Node is written. Takes one JSON object as its argument, prints one
// JSON object a line for what happens, reads one a line for how to behave.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const readline = require('readline');
const rhea = require('rhea');

const settings = JSON.parse(process.argv[2]);
const say = (event, more) => process.stdout.write(JSON.stringify({ event, ...more }) + '\n');

// The early sample has this constant.
const timestamp = '1573489088171';
const signed = `authId=${settings.key}&timestamp=${timestamp}`;
const password = crypto.createHmac('sha1', settings.secret).update(signed).digest('base64');
const options = {
  host: settings.host,
  port: settings.port,
  username:
    `client-2|authMode=aksign,signMethod=hmacsha1,timestamp=${timestamp},authId=${settings.key},iotInstanceId=,` +
    `consumerGroupId=${settings.group}|`,
  password,
  reconnect: true,
  // As the sample has it, but that a test does not wait long.
  max_reconnect_delay: 1000,
  idle_time_out: 60000,
};
if (settings.authority) {
  Object.assign(options, { transport: 'tls', ca: fs.readFileSync(settings.authority), servername: 'localhost' });
}
if (settings.frameBytes) options.max_frame_size = settings.frameBytes;

// Where a test says nothing of it, rhea accepts by itself.
let settle = settings.settle;
const settled = {
  true: (delivery) => delivery.accept(),
  false: () => {},
  release: (delivery) => {
    settle = true;
    delivery.release();
  },
};

const container = rhea.create_container();
container.on('receiver_open', () => say('subscribed'));
container.on('message', (context) => {
  const message = context.message;
  const { topic, messageId, generateTime } = message.application_properties;
  const [id, tries, body] = [message.message_id, message.delivery_count || 0, message.body.content.toString()];
  say('message', { id, topic, same: messageId === id, time: Number(generateTime), tries, body });
  if (settle !== undefined) settled[settle](context.delivery);
});
container.on('connection_error', (context) => say('connection_error', { condition: String(context.connection.error) }));
container.on('disconnected', () => say('disconnected'));
container.on('error', (error) => say('error', { error: error.message }));
container.connect(options).open_receiver({ autoaccept: settle === undefined });

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  settle = JSON.parse(line).settle;
  say('behaves');
});
// Its standard input ends with the test.
lines.on('close', () => process.exit(0));
