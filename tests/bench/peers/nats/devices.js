// The devices: each sends its parameters back.
import { connect } from "nats";
import { devices } from "../http.js";

const nats = await connect({ servers: process.env.NATS_URL });
for (const device of devices) {
  nats.subscribe(`devices.${device}`, { callback: (_error, message) => message.respond(message.data) });
}
