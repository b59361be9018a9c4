"""A consumer as the platform's official samples are written, which does with each message what chance says.

Takes one JSON object as its argument. Writes a line for each message that came, and one before it accepts one: what it noted
holds whenever it is killed.
"""

import base64
import hashlib
import hmac
import json
import os
import random
import sys
import threading
import time

settings = json.loads(sys.argv[1])
chance = random.Random(settings["seed"])
notes = os.open(settings["notes"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
LOOK_EVERY_S = 0.1
# What it does, how often of a hundred times, and after how long: some is accepted when it has timed out, some never.
WAYS = [("accept", 75, 0), ("accept", 16, 1.5), ("accept", 1, 7), ("release", 3, 0), ("modify", 2, 0), ("reject", 2, 0), ("leave", 1, 0)]


def note(*words):
    os.write(notes, ("\t".join(words) + "\n").encode())


def user():
    timestamp = str(int(time.time() * 1000))
    signed = "authId=%s&timestamp=%s" % (settings["key"], timestamp)
    mac = hmac.new(settings["secret"].encode(), signed.encode(), hashlib.sha1)
    name = "client-1|authMode=aksign,signMethod=hmacsha1,timestamp=%s,authId=%s,iotInstanceId=,consumerGroupId=%s|"
    return name % (timestamp, settings["key"], settings["group"]), base64.b64encode(mac.digest()).decode()


class Hands:
    """What it has, and does something with later. What its connection brought is gone with it."""

    def __init__(self, does):
        self.does, self.held, self.lock = does, [], threading.Lock()

    def take(self, id, topic, body, what):
        """`what` is the message as its library settles it."""
        note("came", id, topic, hashlib.md5(body).hexdigest(), str(json.loads(body).get("requestId", "")))
        (way,) = chance.choices(WAYS, [often for _, often, _ in WAYS])
        how, _, after = way
        if after:
            with self.lock:
                self.held.append((time.monotonic() + after * chance.random(), id, what))
        else:
            self.settle(how, id, what)

    def settle(self, how, id, what):
        note(how, id)
        if how != "leave":
            self.does(how, what)

    def look(self):
        now = time.monotonic()
        with self.lock:
            due = [one for one in self.held if one[0] <= now]
            self.held = [one for one in self.held if one[0] > now]
        for _, id, what in due:
            self.settle("accept", id, what)

    def drop(self):
        with self.lock:
            self.held = []


def amqp():
    from proton.handlers import MessagingHandler
    from proton.reactor import Container

    class Consumer(MessagingHandler):
        def __init__(self):
            super().__init__(auto_accept=False, prefetch=50)
            self.hands = Hands(self.does)

        def does(self, how, delivery):
            if how == "accept":
                self.accept(delivery)
            elif how == "reject":
                self.reject(delivery)
            else:
                self.release(delivery, delivered=how == "modify")

        def on_start(self, event):
            name, password = user()
            self.connection = event.container.connect(
                urls=["amqp://%s:%s" % tuple(one) for one in settings["addresses"]],
                user=name, password=password, heartbeat=60, allowed_mechs="PLAIN", allow_insecure_mechs=True,
                reconnect=[0.1, 0.2, 0.5] + [1] * 10000,
            )
            self.receiver = event.container.create_receiver(self.connection)
            event.container.schedule(LOOK_EVERY_S, self)

        def on_timer_task(self, event):
            self.hands.look()
            event.container.schedule(LOOK_EVERY_S, self)

        def on_message(self, event):
            message = event.message
            self.hands.take(message.id, message.properties["topic"], bytes(message.body), event.delivery)

        def on_disconnected(self, event):
            self.hands.drop()

    Container(Consumer()).run()


def stomp():
    import stomp

    addresses = [tuple(one) for one in settings["addresses"]]
    connection = stomp.Connection11(addresses, reconnect_attempts_max=1)

    def does(how, id):
        # STOMP has one word for all that is not accepted.
        try:
            (connection.ack if how == "accept" else connection.nack)(id, 1)
        except (stomp.exception.NotConnectedException, OSError):
            pass

    hands = Hands(does)

    class Listener(stomp.ConnectionListener):
        def on_message(self, frame):
            headers = frame.headers
            hands.take(headers["message-id"], headers["destination"], frame.body.encode(), headers["message-id"])

        def on_disconnected(self):
            hands.drop()

    connection.set_listener("", Listener())
    while True:
        if not connection.is_connected():
            try:
                connection.connect(*user(), wait=True)
                connection.subscribe(destination="/topic/#", id=1, ack="client-individual")
            except (stomp.exception.StompException, OSError):
                time.sleep(0.3)
        hands.look()
        time.sleep(LOOK_EVERY_S)


amqp() if settings["protocol"] == "amqp" else stomp()
