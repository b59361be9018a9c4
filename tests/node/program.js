// An application as people write them for the platform, with the older official SDK for Node: it makes a product and a device,
// commands the device, looks at what it said, and tidies up. Arguments and events are those of python/program.py.
'use strict';
const Pop = require('@alicloud/pop-core');

const wanted = JSON.parse(process.argv[2]);
const tell = (event, more) => process.stdout.write(JSON.stringify({ event, ...more }) + '\n');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const client = new Pop({
  accessKeyId: wanted.key,
  accessKeySecret: wanted.secret,
  endpoint: `http://${wanted.endpoint}`,
  apiVersion: '2018-01-20',
});
const ask = (action, params) => client.request(action, params, { method: 'POST', timeout: 10000 });
const base64 = (text) => Buffer.from(text).toString('base64');

async function until(what, found) {
  const end = Date.now() + 60000;
  for (;;) {
    const value = await found();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: it does not come`);
    await pause(100);
  }
}

async function main() {
  const made = await ask('CreateProduct', { ProductName: 'lamps_of_node', NodeType: 0, DataFormat: 1 });
  const ProductKey = made.ProductKey;
  const model = { ...wanted.model, profile: { ...wanted.model.profile, productKey: ProductKey } };
  await ask('ImportThingModelTsl', { ProductKey, TslStr: JSON.stringify(model) });
  await ask('UpdateProduct', { ProductKey, ProductName: 'lamps_renamed', Description: 'lamps' });
  const product = (await ask('QueryProduct', { ProductKey })).Data;
  const lamp = (await ask('RegisterDevice', { ProductKey, DeviceName: 'lamp1', Nickname: 'a lamp' })).Data;
  const DeviceName = lamp.DeviceName;
  const of = { ProductKey, DeviceName };
  tell('registered', { product: ProductKey, device: DeviceName, secret: lamp.DeviceSecret, iotId: lamp.IotId });
  await until('the device', async () => (await ask('GetDeviceStatus', of)).Data.Status === 'ONLINE');

  const invoked = (await ask('InvokeThingService', { ...of, Identifier: 'Measure', Args: '{"channel":1}' })).Data;
  const set = (await ask('SetDeviceProperty', { ...of, Items: '{"Brightness":40}' })).Data.MessageId;
  const published = await ask('Pub', {
    ProductKey, TopicFullName: `/${ProductKey}/${DeviceName}/user/get`, MessageContent: base64('hello'), Qos: 0,
  });
  const rrpc = await ask('RRpc', {
    ...of, Timeout: 5000, Topic: `/${ProductKey}/${DeviceName}/user/ask`, RequestBase64Byte: base64('are you there'),
  });
  const listed = (await ask('QueryDevice', { ProductKey, CurrentPage: 1, PageSize: 10 })).Data.DeviceInfo;
  const detail = (await ask('QueryDeviceDetail', of)).Data;
  // Its people see to it that the device reports what it was set to.
  tell('set', { property: 'Brightness', value: 40 });
  await until('the property', async () => {
    const status = await ask('QueryDevicePropertyStatus', of);
    return status.Data.List.PropertyStatusInfo.some((one) => one.Identifier === 'Brightness' && one.Value === '40');
  });
  const past = await ask('QueryDevicePropertyData', {
    ...of, Identifier: 'Brightness', StartTime: Date.now() - 3600000, EndTime: Date.now() + 1000, PageSize: 10, Asc: 1,
  });
  await ask('DeleteDevice', of);
  await ask('DeleteProduct', { ProductKey });
  const products = (await ask('QueryProductList', { CurrentPage: 1, PageSize: 100 })).Data.List.ProductInfo;
  if (products.some((one) => one.ProductKey === ProductKey)) throw new Error('the product is still there');
  tell('done', {
    product: product.ProductName,
    invoked: JSON.parse(invoked.Result),
    set,
    published: published.MessageId,
    echoed: rrpc.RrpcCode === 'SUCCESS' ? Buffer.from(rrpc.PayloadBase64Byte, 'base64').toString() : rrpc.RrpcCode,
    devices: listed.map((one) => one.DeviceName),
    online: detail.Status,
    history: past.Data.List.PropertyInfo.map((one) => one.Value),
  });
}

main().catch((error) => tell('failed', { what: `${error.name}: ${error.message}` }));
