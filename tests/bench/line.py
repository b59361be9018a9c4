"""Shows each measurement as it comes: one short line for eyes."""

import json
import sys

for text in sys.stdin:
    line = json.loads(text)
    if "messagesPerSecond" in line:
        cpu = line.get("cpuMicrosPerMessage", 0)
        print(f"{line['row']:<15} {line['what']:<15} {line['messagesPerSecond']:8.0f} messages/s  {cpu:.1f} us each", flush=True)
    elif "bytesEach" in line:
        print(f"{line['row']:<15} {line['what']:<15} {line['bytesEach']:8} bytes each of {line['consumers']}", flush=True)
    elif "saturatedPerSecond" in line:
        print(
            f"{line['row']:<15} {line['madePerSecond']} calls/s of {line['saturatedPerSecond']} that go: {line['acceptedPerSecond']} accepted,"
            f" p99 {line['acceptedP99Ms']:.1f} ms; {line['refusedShare']:.0%} refused, p99 {line['refusedP99Ms']:.1f} ms;"
            f" well after {line['recoveredSeconds']:.2f} s; quiet ones refused {line['quietProductRefused'] + line['quietAccountRefused']}",
            flush=True,
        )
    elif "perCall" in line:
        print(f"{line['row']:<15} {line['what']:<15} {line['perCall']:.3f} system calls a call", flush=True)
    elif line["what"] != "median":
        lost = sum(line["failures"].values())
        failed = f"  {lost} failed" if lost else ""
        figures = f"{line['callsPerSecond']:8.0f} calls/s"
        if line["calls"]:
            figures += f"  p50 {line['p50Ms']:.2f} ms  p99 {line['p99Ms']:.2f} ms"
        if "postsTakenPerSecond" in line:
            figures += f"  {line['postsTakenPerSecond']:.0f} posts/s  p99 {line['postP99Ms']:.2f} ms"
        print(f"{line['row']:<15} {line['what']:<15} {figures}{failed}", flush=True)
