#!/usr/bin/env node
// SPDX-License-Identifier: GPL-3.0-or-later
'use strict';

// An HTTP worker for einhyrningsins, with Node.js alone. All that makes it a worker
// is in worker.js: a copy of it belongs beside this file.

const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const worker = require('../../worker/js/worker.js');

const options = {
  boot: { type: 'string', default: '0' }, // seconds that starting takes
  build: { type: 'string', default: 'dev' }, // what to call this build in the answers
  addr: { type: 'string' }, // where to listen without a manager
};

async function main() {
  const { values } = parseArgs({ options });
  const stop = new worker.Stop(); // the signals are ours from here on
  await Promise.race([sleep(1000 * Number(values.boot)), stop.asked]);
  if (stop.isAsked) process.exit();
  const answer = `pid=${process.pid} index=${worker.index()} build=${values.build}\n`;
  const server = http.createServer((req, res) => {
    res.setHeader('Content-Type', 'text/plain');
    res.setHeader('Content-Length', answer.length);
    res.end(answer);
  });
  await worker.serve(server, { address: values.addr, stop });
}

main().catch((e) => {
  console.error(`server.js: ${e.message}`);
  process.exitCode = 1;
});
