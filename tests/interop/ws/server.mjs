// A websocket API on npm's ws: tells what it saw of the handshake, then echoes, and closes or breaks off when told to.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
});
server.on("listening", () => console.log(`http://127.0.0.1:${server.address().port}`));
server.on("connection", (socket, request) => {
  socket.on("error", () => {});
  socket.send(JSON.stringify({ path: request.url, headers: request.headers }));
  socket.on("close", (code, reason) => console.log(JSON.stringify({ code, reason: reason.toString() })));
  socket.on("message", (data, binary) => {
    if (data.equals(Buffer.from("close"))) socket.close(4001, "as told");
    else if (data.equals(Buffer.from("break"))) socket.terminate();
    else if (data.equals(Buffer.from("ping"))) socket.ping("beat");
    else socket.send(data, { binary });
  });
  socket.on("pong", (data) => socket.send(`pong ${data}`));
});
process.stdin.resume().on("end", () => process.exit());
