// HTTP to a device by a NATS request, and back.
import { connect } from "@nats-io/transport-node";
import { serve } from "../http.js";

const nats = await connect({ servers: process.env.NATS_URL, noAsyncTraces: true });

serve(async (device, params) => {
  const reply = await nats.request(`devices.${device}`, JSON.stringify(params), { timeout: 8000 });
  return reply.json();
});
