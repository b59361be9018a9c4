"""Where a real collector exports to: reads OTLP by the official messages, and tells each span.

Prints {"event": "listening", "port": N}, and {"event": "span", ...} for each span that comes.
"""

import gzip
import http.server
import json
import sys
import threading

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

printing = threading.Lock()


def tell(**event):
    with printing:
        print(json.dumps(event), flush=True)


def attributes(list_of):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in list_of}


class Reader(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    tell(
                        event="span",
                        resource=attributes(resource.resource.attributes),
                        scope=scope.scope.name,
                        trace=span.trace_id.hex(),
                        span=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        state=span.trace_state,
                        name=span.name,
                        kind=Span.SpanKind.Name(span.kind),
                        start=span.start_time_unix_nano,
                        end=span.end_time_unix_nano,
                        attributes=attributes(span.attributes),
                        links=[{"trace": link.trace_id.hex(), "span": link.span_id.hex()} for link in span.links],
                        status=Status.StatusCode.Name(span.status.code),
                    )
        body = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Reader)
threading.Thread(target=server.serve_forever, daemon=True).start()
tell(event="listening", port=server.server_address[1])
sys.stdin.read()
