// Chromium through playwright-core. Returns {version, call, screenshot, stop}.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export async function startChromium({ options, folder, url, width, height, onEvent }) {
  const disabled = [...(options.mdns ? [] : ['WebRtcHideLocalIpsWithMdns']), ...options.disable];
  const args = [
    '--use-fake-device-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
    // Without granted capture Chromium gathers on the default route only, and behind a .local name.
    ...(options.mdns ? [] : ['--use-fake-ui-for-media-stream', '--allow-loopback-in-peer-connection']),
    '--disable-background-networking',
    '--disable-component-update',
    '--no-pings',
    ...(disabled.length ? [`--disable-features=${disabled.join(',')}`] : []),
    ...(options.enable.length ? [`--enable-features=${options.enable.join(',')}`] : []),
    ...(options['field-trials'] ? [`--force-fieldtrials=${options['field-trials']}`] : []),
    ...(options.log ? ['--enable-logging=stderr', '--v=1', '--vmodule=*/webrtc/*=4,*sctp*=4'] : []),
    ...(options.ca ? ['--ignore-certificate-errors'] : []),
    ...options.arg,
  ];
  let executablePath = options.exe || '/usr/bin/chromium';
  if (options.log) {
    // Only standard error carries the log of the page's own process, where the stack runs.
    const script = join(folder, 'chromium.sh');
    writeFileSync(script, `#!/bin/sh\nexec '${executablePath}' "$@" 2>'${options.log}'\n`, { mode: 0o755 });
    executablePath = script;
  }
  const browser = await chromium.launch({ executablePath, headless: true, args });
  const page = await (await browser.newContext({ viewport: { width, height } })).newPage();
  page.on('pageerror', error => onEvent({ event: 'pageerror', error: String(error) }));
  await page.exposeFunction('emitEvent', onEvent);
  await page.goto(url);
  await page.waitForFunction('window.peerCall');
  return {
    version: browser.version(),
    call: (command, args_) => page.evaluate(([c, a]) => window.peerCall(c, a), [command, args_]),
    screenshot: path => page.screenshot({ path }),
    stop: () => browser.close(),
  };
}
