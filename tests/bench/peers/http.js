// The HTTP side of a front in plain Node: POST / with {"device":...,"param1":...} asks the device and answers with what
// it sent; 504 if nothing came.
import { createServer } from "node:http";

export function serve(ask) {
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", async () => {
      let status = 200;
      let answer;
      try {
        const { device, param1 } = JSON.parse(Buffer.concat(chunks));
        answer = JSON.stringify(await ask(device, { param1 }));
      } catch (error) {
        status = 504;
        answer = JSON.stringify({ error: error.message });
      }
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(answer) };
      response.writeHead(status, headers).end(answer);
    });
  });
  server.keepAliveTimeout = 65_000;
  server.listen({ port: process.env.PORT, host: "127.0.0.1", backlog: 4096 });
}

// The names of the devices, as the load knows them.
export const devices = Array.from({ length: 100 }, (_, index) => `sim-${String(index + 1).padStart(4, "0")}`);
