"""A member of a room chats with stomp.py. Reads its orders as JSON from standard input and prints what it saw as JSON; the
Go test judges.

    {"port":40000,"user":"alice","token":"…","room":"42","lines":["hello","…"],"patience":30}
"""
import json
import queue
import sys

import stomp

orders = json.load(sys.stdin)


class Listener(stomp.ConnectionListener):
    """Keeps what comes, by kind of frame."""

    def __init__(self):
        self.frames = {kind: queue.Queue() for kind in ("CONNECTED", "RECEIPT", "MESSAGE", "ERROR")}

    def on_connected(self, frame):
        self.frames["CONNECTED"].put(frame)

    def on_receipt(self, frame):
        self.frames["RECEIPT"].put(frame)

    def on_message(self, frame):
        self.frames["MESSAGE"].put(frame)

    def on_error(self, frame):
        self.frames["ERROR"].put(frame)

    def take(self, kind):
        return self.frames[kind].get(timeout=orders["patience"])


def say(number, line):
    """Sends a line and returns its RECEIPT: it is stored."""
    body = json.dumps({"type": "TEXT", "content": line, "clientMessageId": str(number)}, ensure_ascii=False)
    client.send(f"/app/chat/{orders['room']}/send", body, "application/json", receipt=f"send-{number}")
    return listener.take("RECEIPT").headers


listener = Listener()
client = stomp.Connection12([("127.0.0.1", orders["port"])], heartbeats=(10000, 10000))
client.set_listener("", listener)
client.connect(orders["user"], orders["token"], wait=True)
client.subscribe(f"/topic/chat/{orders['room']}", "1", headers={"receipt": "live"})
live = listener.take("RECEIPT").headers["receipt-id"]
receipts = [say(number, line) for number, line in enumerate(orders["lines"])]
messages = []
while len(messages) < len(receipts):
    frame = listener.take("MESSAGE")
    if frame.headers["event"] == "MESSAGE":
        messages.append({"headers": frame.headers, "body": frame.body})
client.disconnect(receipt="bye")
bye = listener.take("RECEIPT").headers["receipt-id"]
print(json.dumps({
    "version": listener.take("CONNECTED").headers["version"], "live": live, "receipts": receipts, "messages": messages,
    "bye": bye, "errors": listener.frames["ERROR"].qsize(),
}))
