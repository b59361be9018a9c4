"""What devices and callers were told, what is in the log, and what consumers settled: whether they agree."""

from collections import Counter, defaultdict
from hashlib import md5

from serving import GROUPS, KINDS, SUBSCRIBED, message_id, request_id

WAYS = ("accept", "release", "modify", "reject", "leave")


class Came:
    """A message as it came to a group."""

    def __init__(self):
        self.as_, self.done, self.times = set(), False, 0


class Settled:
    """The accounts of a run."""

    def __init__(self, site, reports, callers, consumers):
        self.reports, self.callers, self.consumers = reports, callers, consumers
        # Mosquitto tells nobody who is connected.
        self.log, self.tells_status = {}, not site.is_shared
        self.ids = defaultdict(list)
        for row in site.log():
            about = request_id(row["body"])
            row |= {"about": about, "body": md5(row["body"].encode()).hexdigest()}
            self.log[message_id(row)] = row
            # Nobody but its device says what a status is about.
            if about:
                self.ids["result" if row["kind"] == "result" else "report", about].append(message_id(row))
        self.groups = {name: defaultdict(Came) for name in GROUPS}
        self.ways = {name: Counter() for name in GROUPS}
        for one in consumers.all:
            self._read(one)

    def _read(self, consumer):
        group, ways = self.groups[consumer.group], self.ways[consumer.group]
        for what, id, *more in consumer.noted():
            if what == "came":
                topic, body, about = more
                group[id].as_.add((body, about, topic))
                group[id].times += 1
            else:
                ways[f"{consumer.speaks} {what}"] += 1
                group[id].done |= what == "accept"

    def wanted(self):
        """Group and id of all that is to be settled by somebody."""
        return ((group, id) for id, row in self.log.items() for group in SUBSCRIBED[row["product"]][1])

    def unsettled(self):
        return [(group, id) for group, id in self.wanted() if not self.groups[group][id].done]

    def unwritten(self):
        """What was said to be written, and is not in the log."""
        taken = [("report", str(id)) for device in self.reports.devices if SUBSCRIBED[device.product][1] for id in device.taken]
        calls = [("result", told.message_id) for told in self.callers.accepted() if SUBSCRIBED[told.device.product][1]]
        return [about for about in taken + calls if about not in self.ids]

    def is_complete(self):
        return not self.unsettled() and not self.unwritten()

    def wrong(self):
        wrong = [f"{what} {about} was taken, and is not in the log" for what, about in self.unwritten()]
        for group, id in self.unsettled():
            row, came = self.log[id], self.groups[group][id]
            wrong.append(f"{id} ({row['kind']} {row['about']}) of {row['product']} was settled by nobody in {group}; it came {came.times} times")
        wrong += [f"{what} {about} is in the log as {ids}" for (what, about), ids in self.ids.items() if len(ids) > 1]
        for name, group in self.groups.items():
            wrong += [line for id, came in group.items() if came.times for line in self._came(name, id, came)]
        return wrong

    def _came(self, group, id, came):
        row = self.log.get(id)
        if row is None:
            return [f"{id} came to {group}, and is not in the log: {came.as_}"]
        topics, groups = SUBSCRIBED[row["product"]]
        lines = []
        if group not in groups or not any(row["kind"] in KINDS[topic] for topic in topics):
            lines.append(f"{id} ({row['kind']} of {row['product']}) came to {group}, which did not subscribe to it")
        if {(body, about) for body, about, _ in came.as_} != {(row["body"], row["about"])} or len(came.as_) > 1:
            lines.append(f"{id} is {row['about']} {row['body']} in the log, and came to {group} as {came.as_}")
        return lines

    def unexercised(self):
        """What a run that says nothing leaves out."""
        missing = []
        for consumer in self.consumers.all:
            ways = self.ways[consumer.group]
            wanted = WAYS if consumer.speaks == "amqp" or ways["stomp reject"] == 0 else ("accept",)
            missing += [f"{consumer.group}: no {consumer.speaks} {way}" for way in wanted if not ways[f"{consumer.speaks} {way}"]]
        kinds = Counter((row["product"], row["kind"]) for row in self.log.values())
        for product, (topics, _) in SUBSCRIBED.items():
            wanted = {kind for topic in topics for kind in KINDS[topic]} - (set() if self.tells_status else {"status"})
            missing += [f"no {kind} of {product}" for kind in wanted if not kinds[product, kind]]
        if not self.reports.taken(["third"]):
            missing.append("no report of what nobody subscribed to")
        missing += [f"nothing came to {name} again" for name, group in self.groups.items() if self.again(group) == 0]
        missing += [f"no consumer was {what}" for what in ("killed", "paused") if not self.consumers.done[what]]
        return sorted({f"{line}: nothing was tried" for line in missing})

    def again(self, group):
        return sum(came.times - 1 for came in group.values() if came.times > 1)

    def in_words(self):
        kinds = Counter(row["kind"] for row in self.log.values())
        lines = [f"log: {len(self.log)} messages ({_counts(kinds)})"]
        for name, group in self.groups.items():
            done = sum(came.done for came in group.values())
            lines.append(f"{name}: {done} settled, {self.again(group)} came again; {_counts(self.ways[name])}")
        return lines


def _counts(counter):
    return ", ".join(f"{what} {count}" for what, count in counter.most_common())
