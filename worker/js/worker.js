// SPDX-License-Identifier: MIT
'use strict';

/**
 * What a Node.js program needs to run under einhyrningsins or einhorn.
 *
 * Copy this file into your project; it is all there is. Node.js 18 or later.
 *
 *     const http = require('node:http');
 *     const worker = require('./worker.js');
 *     const stop = new worker.Stop();                    // first: hear the signals
 *     const server = http.createServer((req, res) => res.end('hello\n'));
 *     worker.serve(server, { address: '127.0.0.1:8080', stop });   // the address is for no manager
 *
 * serve() listens, ACKs, and drains once the process is asked to end; what it
 * returns is resolved when the last connection is gone, and then nothing keeps the
 * process. Other servers use the parts: sockets(), ack(), ping() and Stop.
 *
 * A drain loses no request. The listening sockets are closed first: they are
 * shared, so what waits in their queues goes to other workers. Then
 *
 * - a request that has begun is answered;
 * - every other connection gets one more request answered: one that was never
 *   used within unusedWait, one that is idle between requests within idleWait;
 * - these answers say "Connection: close", and the connection ends with them.
 *
 * http.Server.close() is not that: it destroys the connections that are idle
 * at this moment (since Node.js 19, by itself), also those whose next request has
 * arrived and was not read yet, and lets the others live for as many requests as
 * they like.
 *
 * Node.js makes the sockets non-blocking. O_NONBLOCK belongs to the open file
 * description, so it holds for every process that shares them: accept(2) has to
 * expect EAGAIN there.
 *
 * What goes wrong with a manager is said on standard error. Nothing here ends the
 * program because there is no manager.
 *
 * @module worker
 */

const fs = require('node:fs');
const net = require('node:net');

const IDLE_WAIT = 5_000; // ms that a used connection may be silent in a drain
const UNUSED_WAIT = 30_000; // the same for one that has not sent a request yet
const HURRIED_WAIT = 5_000; // at most, once SIGTERM or SIGINT came
const REPLY_WAIT = 2_000; // a manager may owe no reply

// listen({fd}) calls listen(2) once more, which sets the backlog of the shared
// socket for everybody: to 511 if it is not told more, as its second argument (it
// passes over an option backlog beside fd). The system cuts what is more than its
// maximum.
const BACKLOG = 0x7fffffff;

/** Whether the environment speaks of a manager and its sockets. */
function managed() {
  return ['EINHORN_FD_COUNT', 'EINHORN_FDS', 'EINHORN_MASTER_PID'].some((name) => process.env[name]);
}

/**
 * The lowest number that no other worker had when this one was started.
 * @returns {number | undefined}
 */
function index() {
  const text = process.env.EINHORN_CHILD_INDEX ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * The listening sockets that this process was started with, in their order, each
 * as what net.Server.listen() takes; give it BACKLOG as the second argument.
 *
 * They are looked for as einhorn passes them (EINHORN_FD_0 …), then systemd
 * (LISTEN_FDS), then Server::Starter (SERVER_STARTER_PORT). When there are none, it
 * is the addresses: "HOST:PORT" or "[IPV6]:PORT".
 *
 * @param {...string} addresses
 * @returns {net.ListenOptions[]}
 * @throws {Error} that names the variable which is wrong, or says that there is neither socket nor address
 */
function sockets(...addresses) {
  const found = named(process.env).map(([name, text]) => [`${name}=${text}`, number(name, text)]);
  for (const [name, fd] of found) check(name, fd);
  if (new Set(found.map(([, fd]) => fd)).size !== found.length) {
    throw new Error(`the same descriptor twice: ${found.map(([name]) => name).join(', ')}`);
  }
  if (found.length > 0) return found.map(([, fd]) => ({ fd }));
  if (addresses.length === 0) {
    throw new Error(
      'no sockets: EINHORN_FD_0 is not set, nor LISTEN_FDS, nor SERVER_STARTER_PORT; ' +
        'start the program with: einhyrningsins -m -b 127.0.0.1:8080,r -- PROGRAM',
    );
  }
  return addresses.map(parse);
}

/** The descriptors that the environment names, with the variable of each. */
function named(env) {
  const list = (name, n, text) => Array.from({ length: n }, (_, i) => [name(i), text(i)]);
  if (env.EINHORN_FD_COUNT) {
    return list((i) => `EINHORN_FD_${i}`, number('EINHORN_FD_COUNT', env.EINHORN_FD_COUNT), (i) => env[`EINHORN_FD_${i}`]);
  }
  if (env.EINHORN_FDS?.trim()) {
    return env.EINHORN_FDS.trim().split(/\s+/).map((text) => ['EINHORN_FDS', text]);
  }
  if (env.LISTEN_FDS && env.LISTEN_PID === String(process.pid)) {
    return list(() => 'LISTEN_FDS', number('LISTEN_FDS', env.LISTEN_FDS), (i) => String(3 + i));
  }
  if (env.SERVER_STARTER_PORT) {
    return env.SERVER_STARTER_PORT.split(';').map((item) => ['SERVER_STARTER_PORT', item.slice(item.lastIndexOf('=') + 1)]);
  }
  return [];
}

function number(name, text) {
  if (!text) throw new Error(`${name} is not set`);
  if (!/^\d{1,5}$/.test(text)) throw new Error(`${name}=${text} is not a number`);
  return Number(text);
}

/** Node.js cannot tell whether a socket listens; listen() will. */
function check(name, fd) {
  let isSocket;
  try {
    isSocket = fs.fstatSync(fd).isSocket();
  } catch (e) {
    throw new Error(`cannot use ${name}: ${e.message}`);
  }
  if (!isSocket) throw new Error(`cannot use ${name}: it is not a socket`);
}

function parse(address) {
  const colon = address.lastIndexOf(':');
  if (colon < 0 || !/^\d+$/.test(address.slice(colon + 1))) {
    throw new Error(`${address} is not an address; right is 127.0.0.1:8080 or [::1]:8080`);
  }
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, '') || undefined, port: Number(address.slice(colon + 1)) };
}

// ACK and ping

// What a control socket gives while the master behind it is being replaced, or
// when its queue is full.
const PASSING = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EAGAIN', 'EINTR', 'ETIMEDOUT']);

/**
 * Tells the manager that this worker accepts connections. It goes on trying for
 * timeout ms, because the manager's master may be away for a moment, unless stop
 * is asked meanwhile.
 * @param {{ timeout?: number, stop?: Stop }} [options]
 * @returns {Promise<boolean>} false: there is no manager, or it could not be told
 */
function ack({ timeout = 30_000, stop } = {}) {
  return tell({ command: 'worker:ack', pid: process.pid }, true, timeout, stop);
}

/**
 * Gives the manager a sign of life, which its status shows.
 * @param {string} requestId at most 256 bytes
 * @returns {Promise<boolean>}
 */
async function ping(requestId = '', { timeout = 1_000 } = {}) {
  if (Buffer.byteLength(requestId) > 256) throw new RangeError('a request id has at most 256 bytes');
  return tell({ command: 'worker:ping', pid: process.pid, request_id: requestId }, false, timeout);
}

async function tell(message, wantReply, timeout, stop) {
  const { EINHORN_SOCK_PATH: path, EINHORN_MASTER_PID: master } = process.env;
  if (!path || !master) return false;
  if (master !== String(process.ppid)) {
    // The variables came through another program, or the manager is gone.
    console.error(`worker: no ${message.command}: EINHORN_MASTER_PID=${master}, but the parent is ${process.ppid}`);
    return false;
  }
  let deadline = Date.now() + timeout;
  let closed = false;
  for (let pause = 5; ; pause = Math.min(2 * pause, 100)) {
    let error;
    try {
      if ((await deliver(path, message, wantReply)) || closed) return true;
      // Closed without a word: einhorn does that, and so does a master that dies
      // after it has read the line. Once more can do no harm.
      closed = true;
    } catch (e) {
      error = e;
      if (!PASSING.has(e.code)) deadline = 0;
    }
    if (stop?.isAsked) return closed;
    if (Date.now() + pause > deadline) {
      if (!closed) console.error(`worker: cannot send ${message.command} to ${path}: ${error.message}`);
      return closed;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Writes one line. False: the connection was closed without an answer. */
async function deliver(path, message, wantReply) {
  const { socket, own } = await connect(path);
  // An id keeps a connection of our own open for pings.
  const line = JSON.stringify(own && wantReply ? { ...message, id: 1 } : message) + '\n';
  let timer;
  const heard = {};
  const answered = new Promise((resolve, reject) => {
    heard.error = reject;
    heard.end = heard.close = () => resolve(false);
    heard.data = () => resolve(true);
    for (const event in heard) socket.on(event, heard[event]);
    timer = setTimeout(resolve, REPLY_WAIT, true);
    socket.ref();
    socket.write(line, (e) => e || wantReply || resolve(true));
  });
  try {
    return await answered;
  } finally {
    clearTimeout(timer);
    for (const event in heard) socket.removeListener(event, heard[event]);
    if (own) socket.unref();
    else socket.on('error', () => {}).destroySoon();
  }
}

/** The control socket, or else the connection that the worker was started with. */
function connect(path) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    const fail = (e) => {
      const own = ownConnection(process.env.EINHORN_SOCK_FD ?? '');
      if (own) resolve({ socket: own, own: true });
      else reject(e);
    };
    socket.once('error', fail);
    socket.once('connect', () => resolve({ socket: socket.removeListener('error', fail), own: false }));
  });
}

let theOwn;

/** Node.js cannot duplicate a descriptor, so there is one connection for all. */
function ownConnection(text) {
  if (theOwn === undefined && /^\d+$/.test(text) && Number(text) >= 3) {
    try {
      if (!fs.fstatSync(Number(text)).isSocket()) return undefined;
      theOwn = new net.Socket({ fd: Number(text) });
      // Answers that nobody waits for, and an end that the next message meets.
      theOwn.on('data', () => {}).on('error', () => {});
    } catch {
      return undefined; // it is not ours
    }
  }
  return theOwn?.destroyed ? undefined : theOwn;
}

// Stopping

/**
 * Hears that this process is to end: by the graceful signal, TERM or INT.
 *
 * Make it first thing: a signal that comes before ends the process, which is right
 * only while it has accepted nothing. A server that has no use for serve() waits
 * for the promise asked, or looks at isAsked and isHurried.
 */
class Stop {
  /**
   * @param {{ graceful?: NodeJS.Signals, call?: () => void }} [options] call is called at the first signal
   */
  constructor({ graceful = 'SIGUSR2', call } = {}) {
    this.isAsked = false;
    this.isHurried = false;
    this.asked = new Promise((resolve) => (this._asked = resolve));
    this.hurried = new Promise((resolve) => (this._hurried = resolve));
    if (call) this.asked.then(call);
    for (const signal of new Set([graceful, 'SIGTERM', 'SIGINT'])) {
      process.on(signal, () => this.ask({ hurry: signal !== graceful }));
    }
  }

  /** Does what the signals do. */
  ask({ hurry = false } = {}) {
    this.isAsked = true;
    this._asked();
    if (hurry) {
      this.isHurried = true;
      this._hurried();
    }
  }
}

// Servers of http and https

/**
 * Makes server listen, ACKs, and drains once stop is asked.
 *
 * @param {import('http').Server | import('https').Server} server its handlers are there, and it does not listen yet
 * @param {object} [options]
 * @param {string} [options.address] what to listen on without a manager
 * @param {net.ListenOptions} [options.listen] one of sockets(), for more than one server; the first if it is not given
 * @param {Stop} [options.stop]
 * @param {boolean} [options.acknowledge] whether to ACK
 * @returns {Promise<void>} resolved when stop was asked and the last connection is gone; rejected when it cannot listen
 */
async function serve(server, { address, listen, stop = new Stop(), acknowledge = true, idleWait = IDLE_WAIT, unusedWait = UNUSED_WAIT } = {}) {
  const drain = new Drain(server, stop, { idleWait, unusedWait });
  const where = listen ?? sockets(...(address === undefined ? [] : [address]))[0];
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, BACKLOG, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  if (acknowledge) ack({ stop });
  await stop.asked;
  await drain.run();
}

/** What the drain knows of each connection of one server. */
class Drain {
  constructor(server, stop, waits) {
    this.server = server;
    this.stop = stop;
    this.waits = waits;
    this.conns = new Map(); // from socket to { used, answers, read, timer }
    // TLS has a socket of its own, on which the requests come.
    server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket) => this.add(socket));
    server.prependListener('request', (req, res) => this.begin(req, res));
    // A connection that changes its protocol is its new owner's.
    for (const event of ['upgrade', 'connect']) {
      server.prependListener(event, (req, socket) => this.forget(socket));
    }
  }

  add(socket) {
    this.conns.set(socket, { used: false, answers: new Set(), read: 0, timer: undefined });
    socket.once('close', () => this.forget(socket));
    if (this.stop.isAsked) this.watch(socket);
  }

  forget(socket) {
    clearTimeout(this.conns.get(socket)?.timer);
    this.conns.delete(socket);
  }

  begin(req, res) {
    const conn = this.conns.get(req.socket);
    if (!conn) return;
    conn.used = true;
    conn.answers.add(res);
    clearTimeout(conn.timer);
    if (this.stop.isAsked) res.setHeader('Connection', 'close');
    res.once('close', () => {
      conn.answers.delete(res);
      conn.read = req.socket.bytesRead;
      if (this.stop.isAsked) this.watch(req.socket);
    });
  }

  run() {
    return new Promise((resolve) => {
      // Not http.Server's own close(), which would destroy connections.
      net.Server.prototype.close.call(this.server, resolve);
      for (const [socket, conn] of this.conns) {
        for (const res of conn.answers) {
          if (!res.headersSent) res.setHeader('Connection', 'close');
        }
        this.watch(socket);
      }
      this.stop.hurried.then(() => this.conns.forEach((_, socket) => this.watch(socket)));
    });
  }

  /** Has the connection closed when its wait is over, if it waits for a request. */
  watch(socket) {
    const conn = this.conns.get(socket);
    if (!conn || conn.answers.size > 0) return;
    let wait = conn.used ? this.waits.idleWait : this.waits.unusedWait;
    if (this.stop.isHurried) wait = Math.min(wait, HURRIED_WAIT);
    clearTimeout(conn.timer);
    // What has arrived meanwhile is read after the timers had their turn.
    conn.timer = setTimeout(() => setImmediate(() => this.cut(socket, conn)), wait);
  }

  cut(socket, conn) {
    const isIdle = conn.answers.size === 0 && socket.bytesRead === conn.read;
    // A request that has begun to arrive is limited by server.headersTimeout.
    if (isIdle && this.conns.has(socket)) socket.destroy();
  }
}

module.exports = { BACKLOG, IDLE_WAIT, UNUSED_WAIT, HURRIED_WAIT, Stop, ack, index, managed, ping, serve, sockets };
