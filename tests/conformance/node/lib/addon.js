'use strict';
// The addon, and its errors as JavaScript's. Workers have it too, without the loop that native.js turns.

const fs = require('node:fs');
const path = require('node:path');
const rt = require('./idl.js');

// $PARLEY_NODE_ADDON, or the newest one that a build of this checkout made.
function findAddon() {
  if (process.env.PARLEY_NODE_ADDON) return path.resolve(process.env.PARLEY_NODE_ADDON);
  const root = path.resolve(__dirname, '../../../..');
  const found = fs.readdirSync(root).filter((name) => name.startsWith('build'))
    .map((name) => path.join(root, name, 'tests/conformance/node/parley.node')).filter((file) => fs.existsSync(file));
  if (found.length === 0) {
    throw new Error('parley.node is not built: run tests/conformance/node/install, then build the target parley_node');
  }
  return found.map((file) => [fs.statSync(file).mtimeMs, file]).sort((a, b) => b[0] - a[0])[0][1];
}

function toException(error) {
  if (!error || error instanceof Error || typeof error.name !== 'string') return error;
  if (error.errorDetail) {
    const init = { errorDetail: error.errorDetail };
    for (const name of ['sdpLineNumber', 'sctpCauseCode', 'receivedAlert', 'sentAlert']) {
      if (error[name] !== null) init[name] = error[name];
    }
    return new rt.interfaces.RTCError(init, error.message);
  }
  if (error.name === 'TypeError') return new TypeError(error.message);
  if (error.name === 'RangeError') return new RangeError(error.message);
  return new DOMException(error.message, error.name);
}

module.exports = { addon: require(findAddon()), toException };
