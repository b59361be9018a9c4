// HTTP to a device by a NATS request, and back.
import { JSONCodec, connect } from "nats";
import { serve } from "../http.js";

const codec = JSONCodec();
const nats = await connect({ servers: process.env.NATS_URL });

serve(async (device, params) => {
  const reply = await nats.request(`devices.${device}`, codec.encode(params), { timeout: 8000 });
  return codec.decode(reply.data);
});
