// Serves the folder that it runs in, as `vite` would be asked to.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";

const port = Number(process.argv[process.argv.indexOf("--port") + 1]);
createServer(async ({ url }, answer) => {
  const path = url === "/" ? "index.html" : decodeURIComponent(url.slice(1));
  try {
    const body = await readFile(path);
    answer.writeHead(200, { "Content-Type": path.endsWith(".html") ? "text/html" : "text/plain" });
    answer.end(body);
  } catch {
    answer.writeHead(404).end();
  }
}).listen(port, "127.0.0.1", () => console.log("ready"));
