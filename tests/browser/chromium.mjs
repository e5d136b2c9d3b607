// A small client of Chromium's DevTools protocol over a pipe: starts a headless browser and drives one page.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Browser {
  static async start(program) {
    const browser = new Browser();
    browser.profile = mkdtempSync(join(tmpdir(), 'sbcell-browser-'));
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--no-first-run', '--disable-dev-shm-usage',
      '--remote-debugging-pipe', `--user-data-dir=${browser.profile}`, 'about:blank'];
    browser.process = spawn(program, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    browser.waiting = new Map();
    browser.listeners = [];
    browser.next = 1;
    let rest = '';
    browser.process.stdio[4].on('data', (chunk) => {
      const parts = (rest + chunk).split('\0');
      rest = parts.pop();
      for (const part of parts) browser.take(JSON.parse(part));
    });
    const { targetInfos } = await browser.send('Target.getTargets', {}, null);
    const page = targetInfos.find((target) => target.type === 'page');
    const { sessionId } = await browser.send('Target.attachToTarget', { targetId: page.targetId, flatten: true }, null);
    browser.session = sessionId;
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await browser.send(`${domain}.enable`);
    return browser;
  }

  take(message) {
    const waiting = this.waiting.get(message.id);
    if (waiting) {
      this.waiting.delete(message.id);
      if (message.error) waiting.reject(new Error(JSON.stringify(message.error)));
      else waiting.resolve(message.result);
    } else for (const listener of this.listeners) listener(message.method, message.params);
  }

  send(method, params = {}, session = this.session) {
    const id = this.next++;
    const message = session ? { id, method, params, sessionId: session } : { id, method, params };
    this.process.stdio[3].write(JSON.stringify(message) + '\0');
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  on(listener) { this.listeners.push(listener); }

  once(method) {
    return new Promise((resolve) => {
      const listener = (name, params) => {
        if (name !== method) return;
        this.listeners = this.listeners.filter((other) => other !== listener);
        resolve(params);
      };
      this.listeners.push(listener);
    });
  }

  async open(url, { width, height = 900, dark = false, scripts = true, print = false }) {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.send('Emulation.setEmulatedMedia', { media: print ? 'print' : 'screen', features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
    await this.send('Emulation.setScriptExecutionDisabled', { value: !scripts });
    const loaded = this.once('Page.loadEventFired'), start = performance.now();
    await this.send('Page.navigate', { url });
    await loaded;
    return performance.now() - start;
  }

  async value(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
    return result.value;
  }

  async key(key) {
    const codes = { Tab: 9, Enter: 13, ' ': 32, ArrowLeft: 37, ArrowRight: 39, Home: 36, End: 35 };
    const of = { key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: codes[key], text: key === ' ' ? ' ' : key === 'Enter' ? '\r' : undefined };
    await this.send('Input.dispatchKeyEvent', { type: of.text ? 'keyDown' : 'rawKeyDown', ...of });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...of });
  }

  async picture(clip) {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, ...(clip ? { clip: { ...clip, scale: 1 } } : {}) });
    return Buffer.from(data, 'base64');
  }

  stop() {
    this.process.kill('SIGKILL');
    this.process.on('exit', () => rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 }));
  }
}
