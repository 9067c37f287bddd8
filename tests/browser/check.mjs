// Opens a page of another origin that asks the service as Monster UI's SDK does, and looks at what
// the page gets to see: answers and errors, read as JSON, with the preflight in between.
//
// node check.mjs BASE TOKEN: the service's address and an operator's token. CHROMIUM names another
// browser than the system's. Ends with 1 and a line for each thing that is not as it should be.

import { createServer } from "node:http";
import { chromium } from "playwright-core";

const [base, token] = process.argv.slice(2);
const account = "33333333333333333333333333333333";
const number = "%2B14155550100";

// jQuery reads an error's body only when its type is exactly this.
const page = `<!doctype html><title>another origin</title><script>
function ask(method, path, data) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(method, ${JSON.stringify(base)} + "/v2/accounts/${account}" + path);
    request.setRequestHeader("X-Auth-Token", ${JSON.stringify(token)});
    if (method !== "GET") request.setRequestHeader("Content-Type", "application/json");
    request.onerror = () => resolve({ status: 0 });
    request.onload = () => {
      const isJson = request.getResponseHeader("Content-Type") === "application/json";
      resolve({ status: request.status, body: isJson ? JSON.parse(request.responseText) : null });
    };
    request.send(method === "GET" ? null : JSON.stringify({ data: data || {} }));
  });
}
</script>`;

const steps = [
  ["PUT", "", { name: "Browser" }, 201, (body) => body.data.id === account],
  ["PUT", `/phone_numbers/${number}`, { ui_metadata: { ui: "monster-ui" } }, 201, (body) => body.data.state === "in_service"],
  ["GET", "/phone_numbers?paginate=false&_=1", null, 200, (body) => Array.isArray(body.data.numbers["+14155550100"].features)],
  ["PATCH", `/phone_numbers/${number}`, { note: "x" }, 200, (body) => body.data.note === "x"],
  ["PUT", `/phone_numbers/${number}`, {}, 409, (body) => body.message === "number_exists" && body.data.code === 409],
  ["GET", "/phone_numbers/%2B14155550199", null, 404, (body) => body.data.message === "bad identifier"],
  ["POST", `/phone_numbers/${number}`, { cnam: { display_name: "A NAME THAT IS TOO LONG" } }, 400, (body) => body.data["cnam.display_name"].maxLength.target === 15],
  ["DELETE", "/phone_numbers/collection", { numbers: ["+14155550100"] }, 200, (body) => "+14155550100" in body.data.success && !("error" in body.data)],
];

const server = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(page));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const wrong = [];
try {
  const tab = await browser.newPage();
  const preflights = new Set();
  const devtools = await tab.context().newCDPSession(tab);
  await devtools.send("Network.enable");
  devtools.on("Network.requestWillBeSent", ({ request }) => {
    if (request.method === "OPTIONS") preflights.add(request.url);
  });
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  for (const [method, path, data, status, holds] of steps) {
    const answer = await tab.evaluate((step) => ask(...step), [method, path, data]);
    let right = false;
    try {
      right = answer.status === status && holds(answer.body);
    } catch {}
    if (!right) wrong.push(`${method} ${path}: ${JSON.stringify(answer)}`);
  }
  if (preflights.size === 0) wrong.push("no call was preflighted: the page is not of another origin");
  // The documentation works without the internet.
  const outside = [];
  tab.on("request", (request) => request.url().startsWith(base) || outside.push(request.url()));
  await tab.goto(`${base}/docs/`);
  await tab.waitForSelector(".opblock", { timeout: 20000 });
  if (outside.some((url) => !url.startsWith("data:"))) wrong.push(`/docs asks ${outside}`);
} finally {
  await browser.close();
  server.close();
}
wrong.forEach((line) => console.error(line));
console.log(`${steps.length} calls from another origin, ${wrong.length} not as they should be`);
process.exit(wrong.length ? 1 : 0);
