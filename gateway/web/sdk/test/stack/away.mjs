// Somebody is away while more is written than a subscription replays, and comes back.
// Orders: {"server":"http://…","room":"42","messages":1500,"alice":"token","bob":"token"}
import { caughtUp, person, print, readOrders, report, talk } from "./people.mjs";

const orders = await readOrders();
const [alice, bob] = [orders.alice, orders.bob].map((jwtToken) => person({ serverUrl: orders.server, jwtToken }));
await Promise.all([alice.client.connect(), bob.client.connect()]);
await alice.client.subscribeToChatRoom(orders.room);
await talk(bob, orders.room, ["before"], 1);
await caughtUp(alice, orders.room, 1);
await alice.client.disconnect();
await talk(bob, orders.room, Array.from({ length: orders.messages }, (_, i) => `missed ${i}`), 8);
await alice.client.connect();
await talk(bob, orders.room, ["after"], 1);
await caughtUp(alice, orders.room, orders.messages + 2);
await print({ alice: report(alice), bob: report(bob) });
await Promise.all([alice.client.disconnect(), bob.client.disconnect()]);
