"""A device that speaks AMQP 0.9.1, with aio-pika: events as one JSON object a line out, commands a line in.

The argument is {"host", "port", "user", "password", "product", "device", "user_id"}. It logs in, declares its queue, binds
it, answers what it is called for, and comes back whenever its connection ends. With `user_id` its answers bear its name.
A command is {"silent": true} or {"code", "data"}, what it answers from then on (without `data` what it was asked);
{"leave": true}, which ends it; or {"try": ...}, one thing that a device may not be allowed to do, on a channel of its own.
"""

import asyncio
import json
import os
import sys
import threading

import aio_pika

wanted = json.loads(sys.argv[1])
behaviour = {"code": 200}
own_keys = ".sys.%s.%s.#" % (wanted["product"], wanted["device"])
own_queue = "thingcall.device.%s.%s" % (wanted["product"], wanted["device"])


def tell(**event):
    print(json.dumps(event), flush=True)


class Device:
    connection = None
    channel = None

    async def serve(self):
        while True:
            try:
                gone = await self.connect()
            except (OSError, aio_pika.exceptions.AMQPError) as error:
                tell(event="refused", why=type(error).__name__)
                await asyncio.sleep(0.1)
                continue
            tell(event="connected")
            await gone.wait()
            tell(event="disconnected")

    async def connect(self):
        """Returns what is set when the connection has ended."""
        self.connection = await aio_pika.connect(
            host=wanted["host"], port=wanted["port"], login=wanted["user"], password=wanted["password"], timeout=10
        )
        gone = asyncio.Event()
        self.connection.close_callbacks.add(lambda *_: gone.set())
        try:
            self.channel = await self.connection.channel()
            queue = await self.channel.declare_queue(own_queue, auto_delete=True)
            await queue.bind("thingcall.commands", own_keys)
            await queue.consume(self.command)
        except BaseException:
            await self.connection.close()
            raise
        return gone

    async def command(self, message):
        body = json.loads(message.body)
        tell(
            event="called",
            id=body["id"],
            params=body["params"],
            method=body["method"],
            key=message.routing_key,
            reply_to=message.reply_to,
            correlation_id=message.correlation_id,
            content_type=message.content_type,
            expiration=message.expiration,
            delivery_mode=int(message.delivery_mode),
            headers={name: str(value) for name, value in message.headers.items()},
        )
        try:
            if not behaviour.get("silent"):
                await self.answer(message, body)
            await message.ack()
        except (aio_pika.exceptions.AMQPError, RuntimeError) as error:
            # The connection ended meanwhile: nobody hears the answer any more.
            tell(event="unanswered", id=body["id"], why=type(error).__name__)

    async def answer(self, message, body):
        reply = {"id": body["id"], "code": behaviour["code"], "data": behaviour.get("data", body["params"])}
        exchange = await self.channel.get_exchange("thingcall.replies", ensure=False)
        await exchange.publish(written(reply, message.correlation_id, wanted["user_id"]), message.reply_to)

    async def attempt(self, what):
        """Does it, and tells who refused it, if anybody did."""
        try:
            channel = await self.connection.channel()
            if what["try"] == "publish":
                exchange = await channel.get_exchange(what["exchange"], ensure=False)
                sent = written(what["body"], what.get("correlation_id"), what["user_id"])
                await exchange.publish(sent, what["key"], mandatory=False)
            elif what["try"] == "bind":
                queue = await channel.get_queue(own_queue, ensure=False)
                await queue.bind(what["exchange"], what["key"])
            elif what["try"] == "declare":
                await channel.declare_queue(what["queue"], auto_delete=True)
            elif what["try"] == "consume":
                queue = await channel.get_queue(what["queue"], ensure=False)
                await queue.consume(lambda message: tell(event="stolen"))
            await channel.close()
            tell(event="tried", refused=None)
        except (aio_pika.exceptions.AMQPError, RuntimeError) as error:
            tell(event="tried", refused=type(error).__name__)


def written(body, correlation_id, user_id):
    user = wanted["user"] if user_id else None
    return aio_pika.Message(json.dumps(body).encode(), correlation_id=correlation_id, user_id=user)


async def obey(device, order):
    if "try" in order:
        await device.attempt(order)
    elif "leave" in order:
        await device.connection.close()
        os._exit(0)
    else:
        behaviour.clear()
        behaviour.update(order)
        tell(event="behaves")


async def main():
    device = Device()
    loop = asyncio.get_running_loop()

    def listen():
        for line in sys.stdin:
            asyncio.run_coroutine_threadsafe(obey(device, json.loads(line)), loop)

    threading.Thread(target=listen, daemon=True).start()
    await device.serve()


asyncio.run(main())
