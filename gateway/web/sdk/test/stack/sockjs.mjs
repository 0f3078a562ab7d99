// Two people talk over SockJS, on two servers. Orders: {"servers":["http://…"],"room":"42","tokens":["…","…"]}
import { caughtUp, person, print, readOrders, report, talk } from "./people.mjs";

const orders = await readOrders();
const both = orders.tokens.map((jwtToken, i) => person({ serverUrl: orders.servers[i], jwtToken, transport: "sockjs" }));
for (const me of both) {
  await me.client.connect();
  await me.client.subscribeToChatRoom(orders.room);
}
for (const [i, me] of both.entries()) await talk(me, orders.room, [`from ${i}`], 1);
await Promise.all(both.map((me) => caughtUp(me, orders.room, 2)));
await print({ people: both.map(report) });
await Promise.all(both.map((me) => me.client.disconnect()));
