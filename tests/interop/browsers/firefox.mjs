// Firefox through WebDriver BiDi, its own remote protocol. Returns {version, call, screenshot, stop}.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';

function preferences({ options, folder, url }) {
  const prefs = {
    'media.navigator.streams.fake': true,
    'media.navigator.audio.fake_frequency': Number(options.tone),
    'media.navigator.permission.disabled': true,
    'media.autoplay.default': 0,
    'media.peerconnection.ice.loopback': true,
    'media.peerconnection.ice.obfuscate_host_addresses': options.mdns,
    'media.peerconnection.ice.proxy_only_if_behind_proxy': false,
    'media.peerconnection.ice.default_address_only': false,
    'media.peerconnection.ice.no_host': false,
    'media.gmp-manager.updateEnabled': false,
    // A test browser stays at home.
    'app.update.enabled': false,
    'app.normandy.enabled': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'network.prefetch-next': false,
    'toolkit.telemetry.enabled': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    'browser.safebrowsing.malware.enabled': false,
    'browser.safebrowsing.phishing.enabled': false,
    'services.settings.server': 'data:,',
    'extensions.update.enabled': false,
    'browser.shell.checkDefaultBrowser': false,
    'browser.startup.page': 0,
    'remote.active-protocols': 1,
    'dom.min_background_timeout_value': 4,
  };
  if (!options.mdns) {
    // Without a stored permission to capture, Firefox gathers on the default route only, never on loopback.
    const file = join(folder, 'permissions.txt');
    const origin = url.slice(0, -1);
    writeFileSync(file, ['microphone', 'camera'].map(device => `origin\t${device}\t1\t${origin}\n`).join(''));
    prefs['permissions.manager.defaultsUrl'] = `file://${file}`;
  }
  for (const pref of options.pref) {
    const at = pref.indexOf('=');
    const value = pref.slice(at + 1);
    try {
      prefs[pref.slice(0, at)] = JSON.parse(value);
    } catch {
      prefs[pref.slice(0, at)] = value;
    }
  }
  return Object.entries(prefs).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
}

function launch({ options, folder }) {
  if (options.ca) {
    for (const args of [['-N', '--empty-password'], ['-A', '-n', 'test', '-t', 'C,,', '-i', options.ca]]) {
      execFileSync('certutil', [...args, '-d', `sql:${folder}`]);
    }
  }
  const logging = options.log ? { MOZ_LOG_FILE: options.log, MOZ_LOG: process.env.MOZ_LOG || 'signaling:4,mtransport:4,DataChannel:4,timestamp' } : {};
  const args = ['--headless', '--no-remote', '--profile', folder, '--remote-debugging-port', '0', ...options.arg];
  return spawn(options.exe || '/usr/bin/firefox-esr', args, {
    env: { ...process.env, HOME: folder, MOZ_CRASHREPORTER_DISABLE: '1', ...logging },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

async function connectBidi(process_, onMessage) {
  const address = await new Promise((done, fail) => {
    createInterface({ input: process_.stderr }).on('line', line => {
      const match = line.match(/BiDi listening on (ws:\S+)/);
      if (match) done(`${match[1]}/session`);
    });
    process_.once('exit', code => fail(new Error(`firefox ended with ${code}`)));
  });
  const socket = new WebSocket(address, { maxPayload: 1 << 28 });
  await new Promise((done, fail) => socket.on('open', done).on('error', fail));
  const pending = new Map();
  let last = 0;
  socket.on('message', data => {
    const message = JSON.parse(data);
    if (message.type === 'event') {
      if (message.method === 'script.message') onMessage(JSON.parse(message.params.data.value));
      return;
    }
    const waiting = pending.get(message.id);
    pending.delete(message.id);
    if (message.type === 'success') waiting?.done(message.result);
    else waiting?.fail(new Error(`${message.error}: ${message.message}`));
  });
  const request = (method, params) =>
    new Promise((done, fail) => {
      pending.set(++last, { done, fail });
      socket.send(JSON.stringify({ id: last, method, params }));
    });
  return { socket, request };
}

export async function startFirefox(setup) {
  const { options, folder, url, width, height, onEvent } = setup;
  writeFileSync(join(folder, 'user.js'), preferences(setup).join('\n'));
  const firefox = launch(setup);
  const exited = new Promise(done => firefox.on('exit', done));
  const { socket, request } = await connectBidi(firefox, onEvent);
  const { capabilities } = await request('session.new', { capabilities: {} });
  await request('session.subscribe', { events: ['script.message'] });
  const { context } = (await request('browsingContext.getTree', {})).contexts[0];
  await request('browsingContext.navigate', { context, url, wait: 'complete' });
  await request('browsingContext.setViewport', { context, viewport: { width, height } }).catch(() => {});
  const run = async (functionDeclaration, args) => {
    const target = { context };
    const result = await request('script.callFunction', { functionDeclaration, arguments: args, awaitPromise: true, target, userActivation: true });
    if (result.type === 'exception') throw new Error(result.exceptionDetails.text);
    return result.result.value;
  };
  const text = value => ({ type: 'string', value });
  // The fake microphone of Firefox is the tone: without a sound card no other source of sound runs.
  await run('channel => { window.fakeMicrophoneIsTone = true; window.emitEvent = event => channel(JSON.stringify(event)); }', [{ type: 'channel', value: { channel: 'events' } }]);
  return {
    version: capabilities.browserVersion,
    async call(command, args) {
      const body = 'async (command, args) => JSON.stringify(await window.peerCall(command, JSON.parse(args)))';
      return JSON.parse(await run(body, [text(command), text(JSON.stringify(args))]));
    },
    /// Runs a function without arguments in the page, whatever page it is.
    async evaluate(function_) {
      return JSON.parse((await run(`async () => JSON.stringify((await (${function_})()) ?? null)`, [])) ?? 'null');
    },
    async screenshot(path) {
      const { data } = await request('browsingContext.captureScreenshot', { context });
      writeFileSync(path, Buffer.from(data, 'base64'));
    },
    async stop() {
      const late = ms => new Promise(done => setTimeout(done, ms));
      await Promise.race([request('browser.close', {}).catch(() => {}), late(3000)]);
      socket.terminate();
      await Promise.race([exited, late(1000)]);
      if (firefox.exitCode === null) firefox.kill('SIGKILL');
      await Promise.race([exited, late(2000)]);
    },
  };
}
