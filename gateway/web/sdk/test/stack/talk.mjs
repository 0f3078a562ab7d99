// Several people talk in one room while servers come and go. Prints {"stored":n} as it goes on, and at last the ledger.
// Orders: {"room":"42","messages":200,"people":[{"servers":["http://…"],"token":"…","talks":true}]}
import { caughtUp, person, print, readOrders, report, talk } from "./people.mjs";

const orders = await readOrders();
const all = orders.people.map(({ servers, token }) => person({ serverUrl: servers, jwtToken: token }));
for (const me of all) {
  await me.client.connect();
  await me.client.subscribeToChatRoom(orders.room, { lastSeq: 0 });
}
let stored = 0;
const talks = all.map((me, who) => {
  if (!orders.people[who].talks) return undefined;
  const lines = Array.from({ length: orders.messages }, (_, i) => `${who}:${i}`);
  return talk(me, orders.room, lines, 4, () => print({ stored: ++stored }));
});
await Promise.all(talks);
const last = Math.max(...all.flatMap((me) => me.stored.map(({ seq }) => seq)));
await Promise.all(all.map((me) => caughtUp(me, orders.room, last)));
await print({ ledger: all.map(report) });
await Promise.all(all.map((me) => me.client.disconnect()));
