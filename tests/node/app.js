// An application with the official SDKs for Node, unmodified: one JSON request a line in, one JSON answer a line out, as
// python/app.py has them.
'use strict';
const readline = require('readline');
const Iot = require('@alicloud/iot20180120');
const { Config } = require('@alicloud/openapi-client');
const Pop = require('@alicloud/pop-core');

// Longer than a call takes; by themselves both SDKs give up after 3 s.
const TIMEOUT_MS = 10000;

async function ts(request) {
  const client = new Iot.default(
    new Config({
      accessKeyId: request.key,
      accessKeySecret: request.secret,
      securityToken: request.token || undefined,
      endpoint: request.endpoint,
      protocol: 'http',
      readTimeout: TIMEOUT_MS,
      connectTimeout: TIMEOUT_MS,
    })
  );
  const Request = Iot[request.action + 'Request'];
  const params = {};
  for (const [member, name] of Object.entries(Request.names())) {
    if (request.params[name] !== undefined) params[member] = request.params[name];
  }
  const method = request.action[0].toLowerCase() + request.action.slice(1);
  const response = await client[method](new Request(params));
  return { body: response.body.toMap() };
}

async function pop(request, method) {
  const client = new Pop({
    accessKeyId: request.key,
    accessKeySecret: request.secret,
    securityToken: request.token || undefined,
    endpoint: `http://${request.endpoint}`,
    apiVersion: '2018-01-20',
  });
  return { body: await client.request(request.action, request.params, { method, timeout: TIMEOUT_MS }) };
}

const SDKS = {
  ts,
  'pop-get': (request) => pop(request, 'GET'),
  'pop-post': (request) => pop(request, 'POST'),
};

const raised = (error) => ({
  class: error.name,
  code: error.code === undefined ? null : String(error.code),
  message: error.message,
  status: (error.data && (error.data.statusCode || error.data.httpCode)) || null,
});

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const request = JSON.parse(line);
  let result;
  try {
    result = await SDKS[request.sdk](request);
  } catch (error) {
    // The tests look at what an application would see, whatever it is.
    result = { raised: raised(error) };
  }
  process.stdout.write(JSON.stringify({ ...result, seq: request.seq }) + '\n');
});
