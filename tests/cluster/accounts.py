"""What callers were told, what the journal says and what devices got: whether they agree."""

import json
from collections import Counter, defaultdict

from load import ASYNC

# What is said where a device may have done it after all.
MAY_HAVE = ("may have", "may be found", "may be sent", "not certain")


class Accounts:
    """The three accounts of a run."""

    def __init__(self, told, devices, rows):
        self.told, self.wrong = told, []
        self.got = {(device.product, device.name, token): ids for device in devices for token, ids in device.got.items()}
        self.records = defaultdict(list)
        for row in rows:
            self.records[json.loads(row["params"]).get("token")].append(row)

    def settled(self):
        """Whether every accepted call has ended."""
        return not self.open()

    def open(self):
        return [
            told.message_id
            for token, told in self.told.items()
            if told.what == "accepted" and not any(row["outcome"] for row in self.records.get(token, ()))
        ]

    def settle(self):
        for token, told in self.told.items():
            ids = self.got.get((told.device.product, told.device.name, token), [])
            if len(set(ids)) > 1:
                self._wrong(token, f"came under the ids {sorted(set(ids))}")
            if told.what == "another call's answer":
                self._wrong(token, told.text)
            elif told.what == "accepted":
                self._accepted(token, told, ids)
            elif told.what == "answered" and not ids:
                self._wrong(token, "answered, and the device never had it")
            elif told.what not in ("answered", "broken connection") and ids and not self._honest(told):
                self._wrong(token, f"its caller was told {told.what} ({told.text}), and the device had it")
            if told.mode != ASYNC and self.records.get(token):
                self._wrong(token, "a synchronous call has a record")
        return self.wrong

    def unexercised(self, takeovers):
        """What a run that says nothing leaves out."""
        missing = []
        for product in {told.device.product for told in self.told.values()} or {"no product"}:
            for what in ("accepted", "answered"):
                if not any(told.what == what and told.device.product == product for told in self.told.values()):
                    missing.append(f"no call of {product} was {what}: nothing was tried")
        if takeovers and not any(row["taken_over_by"] for rows in self.records.values() for row in rows):
            missing.append("no call was taken over of those that died")
        return missing

    def _accepted(self, token, told, ids):
        rows = self.records.get(token, [])
        if len(rows) != 1:
            return self._wrong(token, f"accepted as {told.message_id}, and has {len(rows)} records")
        (row,) = rows
        if str(row["call_id"]) != told.message_id:
            self._wrong(token, f"accepted as {told.message_id}, recorded as {row['call_id']}")
        if ids and set(ids) != {told.message_id}:
            self._wrong(token, f"accepted as {told.message_id}, and came to the device as {sorted(set(ids))}")
        if not row["outcome"]:
            self._wrong(token, f"accepted as {told.message_id}, and has no end (state {row['state']}, came {len(ids)} times)")
        if row["outcome"] == "ok" and not ids:
            self._wrong(token, "recorded as done, and the device never had it")
        if row["outcome"] != "ok" and ids and not any(word in (row["message"] or "") for word in MAY_HAVE):
            self._wrong(token, f"recorded as {row['outcome']} ({row['message']}), and the device had it")
        return None

    @staticmethod
    def _honest(told):
        return any(word in told.text for word in MAY_HAVE)

    def _wrong(self, token, why):
        self.wrong.append(f"{token}: {why}")

    def in_words(self):
        told = Counter(f"{'async' if told.mode == ASYNC else 'sync'} {told.what}" for told in self.told.values())
        ends = Counter(row["outcome"] or "open" for rows in self.records.values() for row in rows)
        again = sum(len(ids) - 1 for ids in self.got.values())
        return (
            f"{len(self.told)} calls; told: {_counts(told)}; records ended: {_counts(ends)}; "
            f"{again} commands came to their device again, under the same id"
        )


def _counts(counter):
    return ", ".join(f"{what} {count}" for what, count in counter.most_common())
