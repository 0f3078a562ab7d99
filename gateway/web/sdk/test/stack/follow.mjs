// Somebody reads a room from its beginning. Orders: {"server":"http://…","room":"42","token":"…","upTo":9}
import { caughtUp, person, print, readOrders, report } from "./people.mjs";

const orders = await readOrders();
const me = person({ serverUrl: orders.server, jwtToken: orders.token });
await me.client.connect();
await me.client.subscribeToChatRoom(orders.room, { lastSeq: 0 });
await caughtUp(me, orders.room, orders.upTo);
await print({ me: report(me) });
await me.client.disconnect();
