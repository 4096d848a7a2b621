'use strict';
// The addon's functions for pages, and the turns of its loop on Node's.

const { addon, toException } = require('./addon.js');

// How many calls of pages into the library are running.
let calls = 0;
const native = {};
for (const [name, fn] of Object.entries(addon)) {
  native[name] = (...given) => {
    calls += 1;
    try {
      return fn(...given);
    } catch (error) {
      throw toException(error);
    } finally {
      calls -= 1;
    }
  };
}

// --- turns of the loop ---------------------------------------------------------------------------

let driving = false;
const deferred = [];

// A browser empties the queue of microtasks whenever its stack of scripts is empty, so after each event of a task; under
// a native callback Node would do so only when the whole turn is over.
const drain = () => process._tickCallback();

function run(task) {
  try {
    task();
  } catch (error) {
    process.nextTick(() => { throw error; });
  }
  drain();
}

function cycle() {
  driving = true;
  try {
    for (let left = deferred.length; left > 0; left--) run(deferred.shift());
    addon.process();
  } finally {
    driving = false;
  }
}

/// What the library reports. In the midst of a call from JavaScript only promises are settled; events are tasks.
function deliver(task) {
  if (driving && calls === 0) run(task);
  else {
    deferred.push(task);
    addon.wake();
  }
}

/// A promise for `start(done)`, where `done(error, value)` may be called at once, later, or never.
function operation(start) {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(toException(error));
      else resolve(value);
      if (driving && calls === 0) drain();
    });
  });
}

addon.start(cycle);

/// What keeps the process alive, and what keeps objects that nobody else holds from being collected: connections that
/// are in use, until they are closed.
const inUse = new Set();
function hold(object) {
  if (inUse.size === 0) addon.setReferenced(true);
  inUse.add(object);
}
// Not at once: the peer is told, and the channels have events to come.
function release(object) {
  setTimeout(() => {
    if (inUse.delete(object) && inUse.size === 0) addon.setReferenced(false);
  }, 300);
}

/// A callback for the library that does not keep `state` alive.
function weakly(state, method) {
  const weak = new WeakRef(state);
  return (...given) => {
    const alive = weak.deref();
    if (alive) deliver(() => alive[method](...given));
  };
}

module.exports = { native, addon, toException, operation, deliver, hold, release, weakly };
