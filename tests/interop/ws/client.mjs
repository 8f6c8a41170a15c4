// A caller on npm's ws: goes through one conversation and prints what it saw, as one line of JSON.
import { once } from "node:events";
import WebSocket from "ws";

const { url, token, subprotocol } = JSON.parse(process.env.OBO_INTEROP);
const headers = subprotocol ? {} : { Authorization: `Bearer ${token}` };

async function talk(lastWord) {
  const seen = {};
  const socket = new WebSocket(url, subprotocol ? [subprotocol, "chat"] : ["chat"], { headers });
  const messages = [];
  let wake = () => {};
  socket.on("message", (data, binary) => { messages.push([data, binary]); wake(); });
  const receive = async () => {
    while (!messages.length) await new Promise((resolve) => { wake = resolve; });
    return messages.shift();
  };
  await once(socket, "open");
  seen.subprotocol = socket.protocol;
  seen.extensions = socket.extensions;
  seen.handshake = JSON.parse((await receive())[0].toString());
  seen.echoes = [];
  const binary = Buffer.alloc(300_000, 7);
  for (const message of ["text", "é".repeat(100_000), binary, ""]) {
    socket.send(message);
    const [data, isBinary] = await receive();
    seen.echoes.push(isBinary === Buffer.isBuffer(message) && data.equals(Buffer.from(message)));
  }
  socket.send("in ", { fin: false });
  socket.send("two", { fin: true });
  seen.fragments = (await receive())[0].toString();
  socket.ping("mine");
  seen.pong = (await once(socket, "pong"))[0].toString();
  socket.send("ping");
  seen.ponged = (await receive())[0].toString();
  if (lastWord === "leave") socket.close(4002, "own wish");
  else socket.send(lastWord);
  const [code, reason] = await once(socket, "close");
  return { ...seen, code, reason: reason.toString() };
}

async function refused() {
  const socket = new WebSocket(url);
  socket.on("error", () => {});
  const [, response] = await once(socket, "unexpected-response");
  return { status: response.statusCode, type: response.headers["content-type"] };
}

const said = { refused: await refused() };
for (const lastWord of ["close", "break", "leave"]) said[lastWord] = await talk(lastWord);
console.log(JSON.stringify(said));
process.exit();
