// The devices: each sends its parameters back.
import { connect } from "@nats-io/transport-node";
import { devices } from "../http.js";

const nats = await connect({ servers: process.env.NATS_URL, noAsyncTraces: true });
for (const device of devices) {
  nats.subscribe(`devices.${device}`, { callback: (_error, message) => message.respond(message.data) });
}
