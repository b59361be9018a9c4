"""An application's server for webhooks. Signatures are verified by the official library of Standard Webhooks.

Argument: {"secret": "whsec_...", "cert": FILE, "key": FILE}; the last two make it speak TLS.
Prints {"event": "listening", "port": N}, and {"event": "told", "id", "verified", "body", "traceparent"} for each request.
Reads {"answer": STATUS} and answers so from then on; begins with 204.
"""

import http.server
import json
import ssl
import sys
import threading

from standardwebhooks import Webhook, WebhookVerificationError

argument = json.loads(sys.argv[1])
webhook = Webhook(argument["secret"])
answer = {"status": 204}
printing = threading.Lock()


def tell(**event):
    with printing:
        print(json.dumps(event), flush=True)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            webhook.verify(body, dict(self.headers))
            verified = True
        except WebhookVerificationError as error:
            verified = str(error)
        status = answer["status"]
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()
        tell(event="told", id=self.headers["webhook-id"], verified=verified, status=status, body=json.loads(body),
             traceparent=self.headers["traceparent"])

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Receiver)
if "cert" in argument:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(argument["cert"], argument["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
tell(event="listening", port=server.server_address[1])
for line in sys.stdin:
    answer["status"] = json.loads(line)["answer"]
    tell(event="behaves")
