// Requests and replies without HTTP: IN_FLIGHT at once for SECONDS, or RATE a second; one line of figures as
// `bench --json` prints them.
import { connect } from "@nats-io/transport-node";
import { devices } from "../http.js";

const nats = await connect({ servers: process.env.NATS_URL, noAsyncTraces: true });
const [inFlight, rate, seconds] = ["IN_FLIGHT", "RATE", "SECONDS"].map((name) => Number(process.env[name] ?? 0));
const start = performance.now();
const from = start + seconds * 200;
const end = from + seconds * 1000;
const took = [];
const failures = {};
let next = 0;

async function ask(due) {
  const number = next++;
  const param1 = number % 1000;
  try {
    const reply = await nats.request(`devices.${devices[number % 100]}`, JSON.stringify({ param1 }), { timeout: 8000 });
    if (reply.json().param1 !== param1) throw new Error("the answer of another call");
    const now = performance.now();
    if (due >= from && now <= end) took.push(now - due);
  } catch (error) {
    if (due >= from) failures[error.message] = (failures[error.message] ?? 0) + 1;
  }
}

async function closed() {
  for (let now = performance.now(); now < end; now = performance.now()) await ask(now);
}

// Timers here are no finer than a millisecond, so each turn sends what has become due.
async function open() {
  const asked = [];
  for (let sent = 0; performance.now() < end; ) {
    const now = performance.now();
    for (; start + (sent * 1000) / rate <= now; sent++) asked.push(ask(Math.max(start + (sent * 1000) / rate, now)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(asked);
}

await (rate ? open() : Promise.all(Array.from({ length: inFlight }, closed)));
took.sort((a, b) => a - b);
const quantile = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))];
console.log(
  JSON.stringify({
    what: "nats-bare",
    callsPerSecond: took.length / seconds,
    calls: took.length,
    failures,
    seconds,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    inFlight,
    rate: rate || null,
    devices: devices.length,
  }),
);
await nats.close();
