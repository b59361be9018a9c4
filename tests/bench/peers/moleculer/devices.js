// The devices: a service each, which sends its parameters back.
import moleculer from "moleculer";
import { devices } from "../http.js";
import { transporter } from "./transporter.js";

const broker = new moleculer.ServiceBroker({ nodeID: "devices", transporter, logLevel: "warn" });
for (const name of devices) {
  broker.createService({ name, actions: { call: (context) => context.params } });
}
await broker.start();
