// A Node application that responds before it has read the body, and names the request that it responds to.
import { createServer } from "node:http";

createServer((request, response) => {
  const status = Number(new URL(request.url, "http://x").searchParams.get("status") ?? 200);
  response.writeHead(status, { "x-for": request.url, connection: "keep-alive", "content-length": 2 });
  response.write("o");
  setTimeout(() => response.end("k"), 20);
}).listen(Number(process.argv[2]), "127.0.0.1");
