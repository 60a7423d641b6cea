// What the checks of the console share: a server with the console in it, a browser, and the API. Each file of checks is a
// process of its own, with its own of all that. BELFRY is the program, CHROMIUM the browser, DATA an empty folder; SHOTS, if it
// is not empty, a folder for pictures of the screens.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';

import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { BELFRY, CHROMIUM, DATA, SHOTS } = process.env;
export const ownerKey = 'a-key-of-the-settings;with/and"';
export const nasty = '<img src=x onerror=alert(1)> <script>alert(2)</script> \u202eevil\u0007';
export const patience = 60_000;

const free = () =>
  new Promise((done) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });

const apiPort = await free();
const simPort = await free();
export const base = `http://127.0.0.1:${apiPort}`;

let server;
let said = '';

export async function start(env = {}) {
  server = spawn(
    BELFRY,
    ['up', '--sandbox', '--data', `${DATA}/data`, '--listen', `127.0.0.1:${apiPort}`, '--sim-listen', `127.0.0.1:${simPort}`, '--max-attempts', '1'],
    { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  server.stderr.on('data', (text) => {
    said = (said + text).slice(-4000);
  });
  const end = Date.now() + patience;
  for (;;) {
    const ok = await fetch(`${base}/readyz`).then((r) => r.ok, () => false);
    if (ok) return;
    assert.ok(Date.now() < end && server.exitCode === null, `belfry up did not start: ${said}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export async function stop() {
  if (!server || server.exitCode !== null) return;
  const over = new Promise((done) => server.once('exit', done));
  server.kill('SIGTERM');
  await over;
}

export async function api(method, path, body, key) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (body !== undefined) headers['Content-Type'] = typeof body === 'string' ? 'application/x-ndjson' : 'application/json';
  const r = await fetch(base + path, { method, headers, body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body) });
  const text = await r.text();
  assert.ok(r.ok, `${method} ${path}: ${r.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** Asks until the answer is as wanted: what happens in the background takes its time. */
export async function until(what, ask, wanted) {
  const end = Date.now() + patience;
  for (;;) {
    const got = await ask();
    if (wanted(got)) return got;
    assert.ok(Date.now() < end, `${what}: still ${JSON.stringify(got)}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

let browser;
export let page;
export const broken = [];

export async function fresh(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: 'en-GB', ...options });
  const p = await context.newPage();
  p.setDefaultTimeout(patience);
  p.on('pageerror', (e) => broken.push(`${p.url()}: ${e}`));
  p.on('dialog', (d) => {
    broken.push(`${p.url()}: a dialog says ${d.message()}`);
    void d.dismiss();
  });
  p.on('console', (m) => {
    if (/Content.Security.Policy|Refused to/.test(m.text())) broken.push(`${p.url()}: ${m.text()}`);
  });
  return p;
}

export const visit = (path, p = page) => p.goto(base + path);
export const click = (name, p = page) => p.getByRole('button', { name }).click();
export const seen = (text, p = page) => p.getByText(text).first().waitFor();

/** A picture of the page from its top, as small as documents need it: WebP, which playwright does not make. */
async function picture(p, name, width) {
  const devtools = await p.context().newCDPSession(p);
  const whole = await p.evaluate(() => document.documentElement.scrollHeight);
  const { data } = await devtools.send('Page.captureScreenshot', {
    format: 'webp',
    quality: 50,
    captureBeyondViewport: true,
    clip: { x: 0, y: 0, width, height: Math.min(whole, 1200), scale: width > 1000 ? 0.75 : 1 },
  });
  writeFileSync(`${SHOTS}/${name}.webp`, Buffer.from(data, 'base64'));
  await devtools.detach();
}

/** No serious finding of axe, and no width beyond the window, in both themes; and a picture of each if they are wanted. */
export async function sound(name, p = page) {
  for (const theme of ['light', 'dark']) {
    await p.emulateMedia({ colorScheme: theme });
    // axe is added by the debugger, which the page's policy does not concern.
    await p.evaluate(axe);
    const findings = await p.evaluate(async () =>
      (await globalThis.axe.run(document, { resultTypes: ['violations'] })).violations
        .filter((v) => v.impact === 'serious' || v.impact === 'critical')
        .map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`),
    );
    assert.deepEqual(findings, [], `${name}, ${theme}`);
    for (const [size, width, height] of [['wide', 1280, 860], ['phone', 390, 844]]) {
      await p.setViewportSize({ width, height });
      const over = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(over <= 0, `${name}, ${size}: ${over} px beyond the window`);
      if (SHOTS && (size === 'wide' || theme === 'light')) await picture(p, `${name}-${size === 'wide' ? theme : size}`, width);
    }
    await p.setViewportSize({ width: 1280, height: 860 });
  }
  await p.emulateMedia({ colorScheme: 'light' });
}

/** The id of the server's process. */
export const processId = () => server.pid;

/** Starts the browser and a server, with env on top of the environment. */
export async function open(env = {}) {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
  await start(env);
  page = await fresh();
}

export async function close() {
  await browser?.close();
  await stop();
}
