// Hears events with the official client and prints their ids as JSON.
// usage: node listen.mjs <hub URL> <token> <entity> <event> <count>
import { HubConnectionBuilder, HttpTransportType, LogLevel } from "@microsoft/signalr";

const [hub, token, entity, event, count] = process.argv.slice(2);
const live = new HubConnectionBuilder()
  .withUrl(hub, { accessTokenFactory: () => token, transport: HttpTransportType.WebSockets })
  .configureLogging(LogLevel.None)
  .build();
const ids = [];
const all = new Promise((resolve, reject) => {
  live.on("MessageReceived", (message) => {
    ids.push(message.data.id);
    if (ids.length === Number(count)) resolve();
  });
  live.onclose(() => reject(new Error(`closed after ${ids.length} messages`)));
});
await live.start();
await live.invoke("Subscribe", [{ EntityId: entity, EventName: event }]);
await all;
await live.stop();
console.log(JSON.stringify(ids));
