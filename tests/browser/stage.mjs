// A gateway between an upstream and pages of two origins, one of which it allows.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { WebSocketServer } from 'ws';

export const anonKey = 'browser-anon-key-0123456789';

const listen = async (server) => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // By name, because a browser takes ports of one host for one site and sends cookies.
  return `http://localhost:${server.address().port}`;
};

// Tells what it received; streams two events, the second once it is asked to; echoes messages.
const upstream = () => {
  const requests = [];
  let more = () => {};
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (request.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: first\n\n');
      more = () => response.write('data: second\n\n');
      return;
    }
    if (request.url === '/more') more();
    const told = { method: request.method, cookie: request.headers.cookie ?? null };
    response.writeHead(200, { 'content-type': 'application/json', 'content-range': '0-1/2' });
    response.end(JSON.stringify(told));
  });
  new WebSocketServer({ server }).on('connection', (socket) => {
    socket.on('message', (message) => socket.send(`echo ${message}`));
  });
  return { server, requests };
};

const startGateway = async (directory, upstreamUrl, origin) => {
  const routes = join(directory, 'routes.toml');
  await writeFile(
    routes,
    `[[route]]\nname = "a"\nprefix = "/a/v1"\nupstream = "${upstreamUrl}"\nwebsocket = true\n`,
  );
  const gateway = spawn(process.env.GATEWAY_BIN, {
    env: {
      JWT_SECRET: 'browser-test-secret-0123456789-abcdef',
      ANON_KEY: anonKey,
      SERVICE_ROLE_KEY: 'browser-service-key-0123456789-abcdef',
      GATEWAY_PORT: '0',
      GATEWAY_ADMIN_LISTEN: 'off',
      GATEWAY_CORS_ORIGINS: origin,
      GATEWAY_ROUTES: routes,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: gateway.stdout })) {
    const { address } = JSON.parse(line);
    if (address) return { gateway, url: `http://localhost:${address.split(':').at(-1)}/a/v1` };
  }
  throw new Error('the gateway did not start');
};

export const setUp = async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ferrobase-browser-'));
  const { server, requests } = upstream();
  const upstreamUrl = (await listen(server)).replace('localhost', '127.0.0.1');
  const pages = [1, 2].map(() =>
    createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<!doctype html><title>page</title>');
    }),
  );
  const [own, foreign] = await Promise.all(pages.map(listen));
  const { gateway, url } = await startGateway(directory, upstreamUrl, own);
  gateway.stdout.resume();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  });

  // Runs a function in a page of `origin`, which has a cookie, with the gateway's URL and the key.
  const inPage = async (origin, run) => {
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(origin);
      await page.evaluate(() => { document.cookie = 'session=s1'; });
      return await page.evaluate(run, { url, key: anonKey });
    } finally {
      await context.close();
    }
  };
  const tearDown = async () => {
    await browser.close();
    gateway.kill();
    for (const each of [server, ...pages]) {
      each.close();
      each.closeAllConnections();
    }
    await rm(directory, { recursive: true });
  };
  return { own, foreign, requests, inPage, tearDown };
};
