// The transporter that TRANSPORTER names. AMQP with its defaults (one message ahead) runs into time-outs, so it gets
// what its documentation gives for load.
export const transporter =
  process.env.TRANSPORTER === "amqp"
    ? { type: "AMQP", options: { url: process.env.AMQP_URL, prefetch: 1000, socketOptions: { noDelay: true } } }
    : process.env.MQTT_URL;
