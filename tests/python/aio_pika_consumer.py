"""Whoever waits for results of asynchronous calls, with aio-pika: messages of one durable queue as JSON lines out.

The argument is {"host", "port", "user", "password", "exchange", "queue", "key", "reads"}. It declares the queue, binds it
and, with `reads`, tells and acknowledges what comes; without, it ends at once, and the queue stays.
"""

import asyncio
import json
import sys

import aio_pika

wanted = json.loads(sys.argv[1])


def tell(**event):
    print(json.dumps(event), flush=True)


async def result(message):
    await message.ack()
    tell(
        event="result",
        key=message.routing_key,
        body=json.loads(message.body),
        message_id=message.message_id,
        content_type=message.content_type,
        delivery_mode=int(message.delivery_mode),
        headers={name: str(value) for name, value in message.headers.items()},
    )


async def main():
    connection = await aio_pika.connect(
        host=wanted["host"], port=wanted["port"], login=wanted["user"], password=wanted["password"], timeout=10
    )
    channel = await connection.channel()
    queue = await channel.declare_queue(wanted["queue"], durable=True)
    await queue.bind(wanted["exchange"], wanted["key"])
    if wanted["reads"]:
        await queue.consume(result)
    tell(event="bound")
    if wanted["reads"]:
        await asyncio.Event().wait()
    await connection.close()


asyncio.run(main())
