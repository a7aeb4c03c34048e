// Server J, Node: C's model in another language. One thread runs an event loop (libuv); timers end the waits.
"use strict";
const http = require("node:http");

function refuse(line) {
  process.stderr.write(`${JSON.stringify(line).slice(1, -1)}\n`); // on one line, whatever the value has
  process.exit(2);
}

function number(name, preset, low = 0, high = 60000, whole = false) {
  const text = process.env[name] || String(preset); // empty: the default
  const value = (whole ? /^\d{1,15}$/ : /^\d{1,15}(\.\d*)?$/).test(text) ? Number(text) : low - 1;
  if (value < low || value > high) refuse(`${name}=${text.slice(0, 60)}: must be a${whole ? " whole" : ""} number from ${low} to ${high}`);
  return value;
}

const PORT = number("PORT", 8092, 1, 65535, true), BACKLOG = number("BACKLOG", 511, 1, 65535, true); // 511: Node's own
const WAIT_MS = number("WAIT_MS", 20), CPU_MS = number("CPU_MS", 0);
const WAITS = { constant: () => WAIT_MS, exponential: () => -Math.log(1 - Math.random()) * WAIT_MS };
const HOST = process.env.HOST || "127.0.0.1", DISTRIBUTION = process.env.WAIT_DISTRIBUTION || "constant";
if (!Object.hasOwn(WAITS, DISTRIBUTION)) refuse(`WAIT_DISTRIBUTION=${DISTRIBUTION.slice(0, 60)}: must be constant or exponential`);

function compute() { // nothing else happens in this process
  const end = process.cpuUsage().user + CPU_MS * 1000; // microseconds
  while (CPU_MS && process.cpuUsage().user < end);
}

function answer(request, response, status, begin) {
  const timing = `service;dur=${(performance.now() - begin).toFixed(3)}`; // ms
  const closing = status === 413 ? { Connection: "close" } : {};
  response.writeHead(status, { "Content-Type": "text/plain", "Content-Length": 5, "Server-Timing": timing, ...closing });
  response.end(request.method === "HEAD" ? "" : "node\n");
}

const server = http.createServer((request, response) => {
  const path = request.url.split("?")[0], begin = performance.now(), headers = request.headers;
  if ("transfer-encoding" in headers || (headers["content-length"] || "0") !== "0") {
    answer(request, response, 413, begin); // this server reads no bodies
  } else if (request.method !== "GET" && request.method !== "HEAD") {
    answer(request, response, 405, begin);
  } else if (path === "/") {
    setTimeout(() => { // the I/O: meanwhile the loop serves other requests
      compute();
      answer(request, response, 200, begin);
    }, WAITS[DISTRIBUTION]());
  } else answer(request, response, path === "/healthz" ? 200 : 404, begin);
});
server.on("error", (error) => refuse(`PORT=${PORT}: cannot listen there on HOST=${HOST.slice(0, 60)}: ${error.message}`));
process.on("SIGTERM", () => process.exit(0));
server.listen({ port: PORT, host: HOST, backlog: BACKLOG }, () => {
  console.log(`node server, port ${PORT}: wait ${WAIT_MS} ms ${DISTRIBUTION}, backlog ${BACKLOG}`);
});
