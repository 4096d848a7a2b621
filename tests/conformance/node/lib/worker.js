'use strict';
// Worker, as pages know it, over Node's worker_threads: enough for RTCRtpScriptTransform.

const fs = require('node:fs');
const path = require('node:path');
const threads = require('node:worker_threads');
const { resolveObjectURL } = require('node:buffer');
const { fileURLToPath, pathToFileURL } = require('node:url');
const rt = require('./idl.js');
const { pack, unpack } = require('./encoded_frames.js');

/// Where a script comes from; a runner of pages' tests may put its own in place.
const scripts = {
  async load(url) {
    if (url.protocol === 'file:') return fs.readFileSync(fileURLToPath(url), 'utf8');
    if (url.protocol === 'blob:') return resolveObjectURL(url.href).text();
    const response = await fetch(url.href);
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    return response.text();
  },
};

const base = () => globalThis.location?.href ?? pathToFileURL(path.join(process.cwd(), '/')).href;

class Worker extends EventTarget {
  #thread;
  constructor(url, options = {}) {
    super();
    const whole = new URL(url, base());
    this.#thread = new threads.Worker(path.join(__dirname, 'worker_scope.js'), {
      workerData: { parleyWorker: true, name: options.name ?? '', url: whole.href },
    });
    this.#thread.on('message', (data) => this.dispatchEvent(new MessageEvent('message', { data: unpack(data) })));
    this.#thread.on('messageerror', (data) => this.dispatchEvent(new MessageEvent('messageerror', { data })));
    this.#thread.on('error', (error) => this.#failed(error));
    scripts.load(whole).then((text) => this.#thread.postMessage({ '@parley.script': text }), (error) => this.#failed(error));
  }
  #failed(error) {
    this.dispatchEvent(Object.assign(new Event('error'), { error, message: String(error?.message ?? error) }));
  }
  postMessage(value, transfer) {
    this.#thread.postMessage(pack(value), Array.isArray(transfer) ? transfer : transfer?.transfer);
  }
  terminate() { this.#thread.terminate(); }
}
for (const type of ['message', 'messageerror', 'error']) {
  Object.defineProperty(Worker.prototype, `on${type}`, {
    get() { return rt.getHandler(this, `on${type}`); },
    set(value) { rt.setHandler(this, `on${type}`, value); },
    enumerable: true, configurable: true,
  });
}
Object.defineProperty(Worker.prototype, Symbol.toStringTag, { value: 'Worker', configurable: true });

module.exports = { Worker, scripts };
