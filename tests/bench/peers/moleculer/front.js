// HTTP to a device by a moleculer call, and back.
import moleculer from "moleculer";
import { devices, serve } from "../http.js";
import { transporter } from "./transporter.js";

const broker = new moleculer.ServiceBroker({ nodeID: "front", transporter, requestTimeout: 8000, logLevel: "warn" });
await broker.start();
await broker.waitForServices(devices);
serve((device, params) => broker.call(`${device}.call`, params));
