// SPDX-License-Identifier: MIT
'use strict';

// Tests of worker.js: node --test, in this directory.

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const test = require('node:test');
const worker = require('./worker.js');

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const OURS = /^(EINHORN_|LISTEN_|SERVER_STARTER_|NOTIFY_)/;

/** Sets the variables of managers to just these. */
function environment(values) {
  for (const name of Object.keys(process.env)) if (OURS.test(name)) delete process.env[name];
  Object.assign(process.env, values);
}

/** The path of a socket to be, in a directory of its own. */
function socketPath(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'worker-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  return path.join(dir, 'sock');
}

/** What is said on standard error from now on. */
function warnings(t) {
  const said = [];
  t.mock.method(console, 'error', (text) => said.push(text));
  return said;
}

test('what the environment names', () => {
  const pid = String(process.pid);
  // The descriptors have to be sockets.
  const [a, b] = [net.createServer().listen(0), net.createServer().listen(0)];
  const [x, y] = [a._handle.fd, b._handle.fd];
  for (const [env, want] of [
    [{ EINHORN_FD_COUNT: '2', EINHORN_FD_0: x, EINHORN_FD_1: y, EINHORN_FDS: '9' }, [x, y]],
    [{ EINHORN_FDS: `${x} ${y}`, LISTEN_FDS: '9', LISTEN_PID: pid }, [x, y]],
    [{ LISTEN_PID: '1', LISTEN_FDS: '2', SERVER_STARTER_PORT: `80=${x};[::1]:81=${y}` }, [x, y]],
    [{ SERVER_STARTER_PORT: `/a=b=${y}` }, [y]],
  ]) {
    environment(env);
    assert.deepStrictEqual(worker.sockets('127.0.0.1:1').map((s) => s.fd), want);
  }
  for (const env of [{}, { EINHORN_FD_COUNT: '0' }, { EINHORN_FDS: ' ' }, { LISTEN_FDS: '2' }, { LISTEN_FDS: '2', LISTEN_PID: '1' }]) {
    environment(env);
    assert.deepStrictEqual(worker.sockets('127.0.0.1:81', '[::1]:82', ':83').map((s) => [s.host, s.port]), [['127.0.0.1', 81], ['::1', 82], [undefined, 83]]);
  }
  a.close();
  b.close();
  environment({ EINHORN_CHILD_INDEX: '3', EINHORN_MASTER_PID: '1' });
  assert.deepStrictEqual([worker.index(), worker.managed()], [3, true]);
  environment({});
  assert.deepStrictEqual([worker.index(), worker.managed()], [undefined, false]);
});

test('systemd numbers its sockets from 3', async () => {
  const server = net.createServer().listen(0);
  await once(server, 'listening');
  const child = spawn(
    process.execPath,
    ['-e', `process.env.LISTEN_PID = process.pid; console.log(JSON.stringify(require('./worker.js').sockets().map((s) => s.fd)))`],
    { cwd: __dirname, env: { LISTEN_FDS: '1' }, stdio: ['ignore', 'pipe', 'inherit', server._handle.fd] },
  );
  const [text] = await once(child.stdout, 'data');
  assert.deepStrictEqual(JSON.parse(text), [3]);
  server.close();
});

test('what is wrong is named', () => {
  const file = fs.openSync(os.devNull);
  for (const [env, want] of [
    [{}, /EINHORN_FD_0 is not set, nor LISTEN_FDS/],
    [{ EINHORN_FD_COUNT: 'x' }, /EINHORN_FD_COUNT=x is not a number/],
    [{ EINHORN_FD_COUNT: '1' }, /EINHORN_FD_0 is not set/],
    [{ EINHORN_FDS: '3 -1' }, /EINHORN_FDS=-1 is not a number/],
    [{ EINHORN_FDS: '99999' }, /cannot use EINHORN_FDS=99999: /],
    [{ EINHORN_FDS: String(file) }, /it is not a socket/],
    [{ SERVER_STARTER_PORT: 'x' }, /SERVER_STARTER_PORT=x is not a number/],
  ]) {
    environment(env);
    assert.throws(() => worker.sockets(), want);
  }
  fs.closeSync(file);
  environment({});
  for (const wrong of ['8080', 'host', 'host:x', '/path']) assert.throws(() => worker.sockets(wrong), /right is 127.0.0.1:8080/);
  const server = net.createServer().listen(0);
  environment({ EINHORN_FDS: `${server._handle.fd} ${server._handle.fd}` });
  assert.throws(() => worker.sockets(), /the same descriptor twice/);
  server.close();
});

/** A control socket that does as it is told with each connection. */
function manager(t, where, ...answers) {
  const lines = [];
  const server = net.createServer((conn) => {
    conn.on('error', () => {});
    conn.once('data', (line) => {
      lines.push(JSON.parse(line));
      conn.end(answers.shift());
    });
  });
  server.listen(where);
  t.after(() => server.close());
  return lines;
}

/** Makes us a worker of our parent. */
function managed(t, values = {}) {
  const where = socketPath(t);
  environment({ EINHORN_SOCK_PATH: where, EINHORN_MASTER_PID: String(process.ppid), ...values });
  return where;
}

test('ACK', async (t) => {
  await t.test('is answered', async (t) => {
    const lines = manager(t, managed(t), '"Acknowledged!"\n');
    assert.ok(await worker.ack());
    assert.deepStrictEqual(lines, [{ command: 'worker:ack', pid: process.pid }]);
  });
  await t.test('closed without a word is tried once more', async (t) => {
    const lines = manager(t, managed(t));
    assert.ok(await worker.ack());
    assert.strictEqual(lines.length, 2);
  });
  await t.test('goes on while the master is away', async (t) => {
    const where = managed(t);
    const acked = worker.ack();
    let failed;
    t.mock.method(global, 'setTimeout', (f) => {
      failed ??= manager(t, where, 'ok\n');
      return setImmediate(f);
    });
    assert.ok(await acked);
    assert.strictEqual(failed.length, 1);
  });
  await t.test('gives up', async (t) => {
    const where = managed(t);
    const said = warnings(t);
    assert.strictEqual(await worker.ack({ timeout: 20 }), false);
    assert.match(said[0], new RegExp(`cannot send worker:ack to ${where}`));
  });
  await t.test('another parent is refused', async (t) => {
    const where = managed(t, { EINHORN_MASTER_PID: '1073741824' });
    const lines = manager(t, where);
    const said = warnings(t);
    assert.deepStrictEqual([await worker.ack(), await worker.ping('x')], [false, false]);
    assert.match(said[0], /but the parent is/);
    assert.deepStrictEqual(lines, []);
  });
  await t.test('without a manager', async (t) => {
    const said = warnings(t);
    for (const name of ['EINHORN_SOCK_PATH', 'EINHORN_MASTER_PID']) {
      managed(t, { [name]: '' });
      assert.strictEqual(await worker.ack(), false);
    }
    assert.deepStrictEqual(said, []);
  });
  await t.test('ping', async (t) => {
    const lines = manager(t, managed(t), '');
    assert.ok(await worker.ping('GET /'));
    while (lines.length === 0) await new Promise(setImmediate);
    assert.deepStrictEqual(lines, [{ command: 'worker:ping', pid: process.pid, request_id: 'GET /' }]);
    await assert.rejects(worker.ping('x'.repeat(257)), RangeError);
  });
});

test('graceful signal, then TERM', async () => {
  const child = spawn(
    process.execPath,
    [
      '-e',
      `const { Stop } = require('./worker.js');
       const stop = new Stop({ graceful: 'SIGHUP', call: () => console.log('called') });
       stop.asked.then(() => console.log('asked', stop.isHurried));
       stop.hurried.then(() => { console.log('hurried'); process.exit(); });
       console.log('ready');
       setInterval(() => {}, 1000);`,
    ],
    { cwd: __dirname, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let text = '';
  child.stdout.on('data', (part) => {
    text += part;
    if (text === 'ready\n') child.kill('SIGHUP');
    if (text.endsWith('asked false\n')) child.kill('SIGTERM');
  });
  await once(child, 'close');
  assert.strictEqual(text, 'ready\ncalled\nasked false\nhurried\n');
});

/** One connection to a server. */
class Client {
  constructor(t, server) {
    this.socket = net.connect(server.address().port, '127.0.0.1');
    this.text = '';
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('error', () => {}).on('data', (part) => (this.text += part));
    t.after(() => this.socket.destroy());
  }

  async ask(request = GET) {
    this.socket.write(request);
    while (!this.text.endsWith('ok')) {
      if (this.socket.destroyed) throw new Error('closed without an answer');
      await Promise.race([once(this.socket, 'data'), this.closed]);
    }
    const answer = this.text;
    this.text = '';
    return answer;
  }
}

/** A server that drains when stop is asked. */
async function start(t, waits) {
  environment({});
  t.mock.method(process, 'on', () => {}); // asked by the tests, not by signals
  const stop = new worker.Stop();
  process.on.mock.restore();
  let accepted = 0;
  const server = http.createServer((req, res) => {
    if (req.url === '/slow') setImmediate(() => res.end('ok'));
    else res.end('ok');
  });
  server.on('connection', () => accepted++);
  const served = worker.serve(server, { address: '127.0.0.1:0', stop, ...waits });
  await once(server, 'listening');
  t.after(() => stop.ask({ hurry: true }));
  const clients = async (n) => {
    const list = Array.from({ length: n }, () => new Client(t, server));
    while (accepted < n) await new Promise(setImmediate);
    return list;
  };
  return { stop, server, served, clients };
}

const LAST = /^Connection: close/im;

test('a drain answers what was accepted', async (t) => {
  const { stop, server, served, clients } = await start(t);
  const [unused, half, idle, slow] = await clients(4);
  half.socket.write(GET.slice(0, 9));
  assert.doesNotMatch(await idle.ask(), LAST);
  const begun = once(server, 'request');
  const answer = slow.ask(GET.replace('/', '/slow'));
  await begun;
  stop.ask();
  assert.match(await answer, LAST);
  assert.match(await half.ask(GET.slice(9)), LAST);
  assert.match(await idle.ask(), LAST);
  assert.match(await unused.ask(), LAST);
  for (const c of [unused, half, idle, slow]) await c.closed;
  await served;
  assert.ok(!server.listening);
});

test('a drain ends silent connections', async (t) => {
  const { stop, served, clients } = await start(t, { idleWait: 30, unusedWait: 30 });
  const [unused, used] = await clients(2);
  await used.ask();
  stop.ask();
  for (const c of [unused, used]) await c.closed;
  await served;
});

test('TERM hurries', async (t) => {
  const { stop, served, clients } = await start(t);
  const [unused, used] = await clients(2);
  await used.ask();
  const waits = [];
  const setTimeout = global.setTimeout;
  t.mock.method(global, 'setTimeout', (f, ms) => waits.push(ms) && setTimeout(f, 0));
  stop.ask();
  stop.ask({ hurry: true });
  for (const c of [unused, used]) await c.closed;
  await served;
  assert.ok(waits.length > 0 && waits.every((ms) => ms <= worker.UNUSED_WAIT) && waits.includes(worker.HURRIED_WAIT), String(waits));
});

test('a connection that was upgraded is its new owner’s', async (t) => {
  const { stop, server, served, clients } = await start(t, { idleWait: 1, unusedWait: 1 });
  server.on('upgrade', (req, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nok');
    socket.on('data', (d) => socket.end(d));
  });
  const [up, other] = await clients(2);
  await up.ask('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  stop.ask();
  await other.closed;
  up.socket.write('bye');
  await up.closed;
  assert.strictEqual(up.text, 'bye');
  await served;
});

// If this fails Node.js was mended, and what is said of it has to change.
test('what http.Server.close() does by itself', async (t) => {
  const server = http.createServer((req, res) => res.end('ok')).listen(0);
  await once(server, 'listening');
  const c = new Client(t, server);
  await c.ask();
  // The request is there before the server closes, and was not read yet.
  const writer = c.socket._handle.fd;
  fs.writeSync(writer, GET);
  server.close();
  server.closeIdleConnections(); // Node.js 18 does not do it by itself
  await c.closed;
  assert.strictEqual(c.text, '');
});
