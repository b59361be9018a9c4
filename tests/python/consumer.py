"""A consumer as the platform's official samples are written: `amqp` with python-qpid-proton, `stomp` with stomp.py.

Takes one JSON object as its argument, prints one JSON object a line for what happens, reads one a line for how to behave.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time

settings = json.loads(sys.argv[1])
lock = threading.Lock()
# Where a test says nothing of it, the library accepts by itself.
by_itself = "settle" not in settings
behaviour = {"settle": settings.get("settle")}


def say(event, **more):
    with lock:
        print(json.dumps({"event": event, **more}), flush=True)


def user():
    timestamp = str(int(time.time() * 1000))
    signed = "authId=%s&timestamp=%s" % (settings["key"], timestamp)
    mac = hmac.new(settings["secret"].encode(), signed.encode(), hashlib.sha1)
    name = "client-1|authMode=aksign,signMethod=hmacsha1,timestamp=%s,authId=%s,iotInstanceId=,consumerGroupId=%s|"
    return name % (timestamp, settings["key"], settings["group"]), base64.b64encode(mac.digest()).decode()


def settled(accept, release):
    """Does with a message what the test wants."""
    if behaviour["settle"] == "release":
        behaviour["settle"] = True
        release()
    elif behaviour["settle"]:
        accept()


def amqp():
    from proton import SSLDomain
    from proton.handlers import MessagingHandler
    from proton.reactor import Container

    class Consumer(MessagingHandler):
        def __init__(self):
            super().__init__(auto_accept=by_itself)

        def on_start(self, event):
            name, password = user()
            scheme = "amqps" if settings.get("authority") else "amqp"
            more = {"allow_insecure_mechs": True}
            if settings.get("authority"):
                domain = SSLDomain(SSLDomain.MODE_CLIENT)
                domain.set_trusted_ca_db(settings["authority"])
                domain.set_peer_authentication(SSLDomain.VERIFY_PEER)
                more = {"ssl_domain": domain}
            if settings.get("frameBytes"):
                more["max_frame_size"] = settings["frameBytes"]
            self.connection = event.container.connect(
                url="%s://%s:%s" % (scheme, settings["host"], settings["port"]),
                user=name, password=password, heartbeat=60, allowed_mechs="PLAIN",
                reconnect=[0.1, 0.2, 0.5] + [1] * 60, **more
            )
            self.receiver = event.container.create_receiver(self.connection)

        def on_link_opened(self, event):
            say("subscribed")

        def on_message(self, event):
            message = event.message
            properties = message.properties
            say(
                "message", id=message.id, topic=properties["topic"], same=properties["messageId"] == message.id,
                time=properties["generateTime"], tries=message.delivery_count, body=bytes(message.body).decode(),
            )
            if not by_itself:
                settled(lambda: self.accept(event.delivery), lambda: self.release(event.delivery, False))
            # As the sample does.
            event.receiver.flow(1)

        def on_connection_error(self, event):
            say("connection_error", condition=str(event.connection.remote_condition))

        def on_transport_error(self, event):
            say("transport_error", condition=str(event.transport.condition))

        def on_disconnected(self, event):
            say("disconnected")

    Container(Consumer()).run()


def stomp():
    import stomp

    server = (settings["host"], settings["port"])
    connection = stomp.Connection11([server])
    if settings.get("authority"):
        connection.set_ssl(for_hosts=[server], ca_certs=settings["authority"])

    def connect():
        # The sample connects again from its listener.
        for _ in range(100):
            try:
                connection.connect(*user(), wait=True)
                connection.subscribe(destination="/topic/#", id=1, ack="auto" if by_itself else "client-individual")
                return say("subscribed")
            except Exception as error:
                say("failed", error=repr(error))
                time.sleep(0.3)

    class Listener(stomp.ConnectionListener):
        def on_error(self, frame):
            say("error", body=frame.body)

        def on_message(self, frame):
            headers = frame.headers
            id = headers["message-id"]
            same, sent = headers["messageId"] == id, int(headers["generateTime"])
            say("message", id=id, topic=headers["destination"], same=same, time=sent, body=frame.body)
            if not by_itself:
                settled(lambda: connection.ack(id, 1), lambda: connection.nack(id, 1))

        def on_disconnected(self):
            say("disconnected")
            threading.Thread(target=connect, daemon=True).start()

    connection.set_listener("", Listener())
    connect()
    while True:
        time.sleep(60)


def listen():
    for line in sys.stdin:
        behaviour.update(json.loads(line))
        say("behaves")
    # Its standard input ends with the test.
    os._exit(0)


threading.Thread(target=listen, daemon=True).start()
amqp() if settings["protocol"] == "amqp" else stomp()
