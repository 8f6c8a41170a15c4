// Answers each request with what Node saw of it: node echo.cjs PORT
const http = require("node:http");

http
  .createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const fields = [];
      for (let at = 0; at < request.rawHeaders.length; at += 2) {
        fields.push([request.rawHeaders[at].toLowerCase(), request.rawHeaders[at + 1]]);
      }
      const { method, url: target } = request;
      const seen = JSON.stringify({ method, target, fields, body: Buffer.concat(pieces).toString("latin1") });
      response.end(seen);
    });
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
