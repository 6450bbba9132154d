// Drives the simulator with the official client and prints what it saw as JSON.
// usage: node client.mjs <hub URL> <control URL> <token> <heard> <unheard>
import { HubConnectionBuilder, HttpTransportType, LogLevel } from "@microsoft/signalr";

const [hub, control, token, heard, unheard] = process.argv.slice(2);

const post = async (path, body) => {
  const response = await fetch(`${control}/${path}`, { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
};

const connection = (accessToken) =>
  new HubConnectionBuilder()
    .withUrl(hub, { accessTokenFactory: () => accessToken, transport: HttpTransportType.WebSockets })
    .configureLogging(LogLevel.None)
    .build();

const failure = async (promise) => {
  try {
    await promise;
    return null;
  } catch (error) {
    return String(error.message ?? error);
  }
};

const seen = {};
seen.unauthorized = await failure(connection("not.a.token").start());

const live = connection(token);
const messages = [];
let enough = () => {};
live.on("MessageReceived", (message) => {
  messages.push(message);
  enough();
});
const received = (count) =>
  new Promise((resolve) => {
    enough = () => messages.length >= count && resolve();
    enough();
  });
const closed = new Promise((resolve) => live.onclose((error) => resolve(String(error?.message ?? error))));

await live.start();
seen.available = await live.invoke("AvailableSubscriptions");
seen.availableWithArgument = await failure(live.invoke("AvailableSubscriptions", []));
seen.unknownMethod = await failure(live.invoke("Publish"));
seen.results = await live.invoke("Subscribe", [
  { EntityId: heard, EventName: "UserCallInComing" },
  { EntityId: heard, EventName: "UserStatus" },
  { EntityId: "nobody", EventName: "UserStatus" },
]);
seen.active = await live.invoke("ActiveSubscriptions");

await post("coalesce", { records: 10 });
await post("send", { eventType: "UserCallInComing", entityId: unheard });
await post("send", { eventType: "UserCallInComing", entityId: heard, count: 2000 });
await received(2000);
seen.order = messages.map((m) => m.data.seq);
seen.strangers = messages.filter((m) => m.data.entityId !== heard || m.subscription.id !== seen.active[0].id).length;

seen.unsubscribed = await live.invoke("Unsubscribe", [{ EntityId: heard, EventName: "UserCallInComing" }]);
await post("send", { eventType: "UserCallInComing", entityId: heard });
await post("send", { eventType: "UserStatus", entityId: heard });
await received(2001);
seen.last = messages.slice(2000).map((m) => m.data.eventType);

await post("drop", { mode: "close", error: "maintenance" });
seen.closed = await closed;

console.log(JSON.stringify(seen));
