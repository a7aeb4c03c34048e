// A node server: node server.js PORT
const http = require("node:http");
http
  .createServer((request, response) => {
    setTimeout(() => response.end("hello\n"), 20);
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
