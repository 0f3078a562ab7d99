// Somebody goes on talking until well after the end of the token that she began with.
// Orders: {"server":"http://…","room":"42","tokens":["…","…"],"untilMs":1763870400000}
import { caughtUp, person, print, readOrders, report, talk } from "./people.mjs";

const orders = await readOrders();
const me = person({ serverUrl: orders.server, jwtToken: async () => orders.tokens.shift() });
let renewals = 0;
me.client.on("tokenRenewed", () => renewals++);
await me.client.connect();
await me.client.subscribeToChatRoom(orders.room);
const all = [];
while (Date.now() < orders.untilMs) {
  await talk(me, orders.room, [`at ${Date.now()}`], 1);
  all.push(me.stored.pop());
}
me.stored = all;
await caughtUp(me, orders.room, all.length);
await print({ renewals, me: report(me) });
await me.client.disconnect();
