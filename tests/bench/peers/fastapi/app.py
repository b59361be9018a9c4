"""HTTP to a device by MQTT, and back: FastAPI with aiomqtt."""

import asyncio
import itertools
import json
import os
import socket
from contextlib import asynccontextmanager

import aiomqtt
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

PRODUCT = "a1BenchLamp"
ids = itertools.count(1)
waiting: dict[str, asyncio.Future] = {}


async def receive(client: aiomqtt.Client) -> None:
    async for message in client.messages:
        reply = json.loads(message.payload)
        future = waiting.get(reply["id"])
        if future is not None and not future.done():
            future.set_result(reply["data"])


@asynccontextmanager
async def lifespan(app: FastAPI):
    nodelay = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    port = int(os.environ["MQTT_PORT"])
    async with aiomqtt.Client("127.0.0.1", port, socket_options=nodelay) as client:
        await client.subscribe(f"/sys/{PRODUCT}/+/rrpc/response/+")
        app.state.client = client
        receiving = asyncio.create_task(receive(client))
        yield
        receiving.cancel()


app = FastAPI(lifespan=lifespan)


class Call(BaseModel):
    device: str
    param1: int


@app.post("/")
async def call(call: Call) -> dict:
    id = str(next(ids))
    waiting[id] = asyncio.get_running_loop().create_future()
    request = {"id": id, "version": "1.0", "params": {"param1": call.param1}, "method": "thing.service.testFb:testService"}
    try:
        async with asyncio.timeout(8):
            topic = f"/sys/{PRODUCT}/{call.device}/rrpc/request/{id}"
            await app.state.client.publish(topic, json.dumps(request))
            return await waiting[id]
    except TimeoutError:
        raise HTTPException(504, "no answer within 8 s") from None
    finally:
        del waiting[id]
