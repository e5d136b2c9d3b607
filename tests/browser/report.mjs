// Opens reports in headless Chromium, as a person would: node report.mjs CHROMIUM AXE.js|none PAGE.html…
import { readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Browser } from './chromium.mjs';

const [program, axe, ...pages] = process.argv.slice(2);
const browser = await Browser.start(program);
let passed = 0, failed = 0, faults = [], requests = [];
browser.on((method, of) => {
  if (method === 'Runtime.exceptionThrown') faults.push(of.exceptionDetails.exception?.description || of.exceptionDetails.text);
  if (method === 'Runtime.consoleAPICalled' && of.type === 'error') faults.push(JSON.stringify(of.args));
  if (method === 'Log.entryAdded' && of.entry.level === 'error') faults.push(of.entry.text);
  if (method === 'Network.requestWillBeSent') requests.push(of.request.url);
});
const check = (what, ok, more = '') => {
  if (ok) passed++; else { failed++; console.log(`failed: ${what} ${more}`); }
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const pictures = process.env.PICTURES;
const keep = (name, png) => { if (pictures) { mkdirSync(pictures, { recursive: true }); writeFileSync(`${pictures}/${name}.png`, png); } };

// How many pixels of each picture differ from its corner, measured by drawing it on a canvas in the page.
const INK = `(async () => {
  const ink = async (source, width, height) => {
    const canvas = document.createElement('canvas'); canvas.width = width; canvas.height = height;
    const g = canvas.getContext('2d'); g.fillStyle = '#fff'; g.fillRect(0, 0, width, height); g.drawImage(source, 0, 0, width, height);
    const { data } = g.getImageData(0, 0, width, height); let n = 0;
    for (let i = 0; i < data.length; i += 4) if (Math.abs(data[i] - data[0]) + Math.abs(data[i + 1] - data[1]) + Math.abs(data[i + 2] - data[2]) > 24) n++;
    return n;
  };
  const found = [];
  for (const figure of document.querySelectorAll('figure')) {
    const shown = [...figure.querySelectorAll('.picture canvas, .picture svg:not(.chip)')].filter((one) => one.getClientRects().length);
    let n = 0;
    for (const one of shown) {
      if (one.tagName === 'CANVAS') { n += await ink(one, 400, 300); continue; }
      const copy = one.cloneNode(true), all = one.querySelectorAll('*');
      copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
      [...copy.querySelectorAll('*')].forEach((part, i) => { const style = getComputedStyle(all[i]); part.style.fill = style.fill; part.style.stroke = style.stroke; part.style.strokeWidth = style.strokeWidth; });
      const image = new Image();
      image.src = 'data:image/svg+xml,' + encodeURIComponent(new XMLSerializer().serializeToString(copy));
      await image.decode();
      n += await ink(image, 400, 300);
    }
    found.push([figure.id, shown.length, n]);
  }
  return found;
})()`;

const drawn = async (name) => {
  for (const [id, n, ink] of await browser.value(INK)) check(`${name}: ${id} is drawn`, n > 0 && ink > 200, `(${n} pictures, ${ink} pixels)`);
};
const focus = (selector) => browser.value(`document.querySelector(${JSON.stringify(selector)}).focus()`);

for (const page of pages) {
  const url = pathToFileURL(resolve(page)).href, title = basename(page, '.html');
  for (const [width, dark] of [[1280, false], [400, false], [1280, true]]) {
    const name = `${title} at ${width} px${dark ? ', dark' : ''}`;
    faults = []; requests = [];
    const ms = await browser.open(url, { width, dark });
    console.log(`${name}: loaded in ${ms.toFixed(0)} ms`);
    check(`${name}: opens in a second`, ms < 1000, `(${ms.toFixed(0)} ms)`);
    await pause(150);
    await drawn(name);
    check(`${name}: fits the width`, await browser.value('document.documentElement.scrollWidth') <= width);
    // By keyboard alone: the colours are tabs, the slider is a slider.
    if (await browser.value('!!document.querySelector(".choice input")')) {
      await focus('.choice input:checked');
      const before = await browser.value('document.querySelector("#fig-map canvas").toDataURL()');
      await browser.key('ArrowRight');
      const tabs = await browser.value('document.querySelectorAll(".choice input").length');
      check(`${name}: the arrow chooses a colour`, tabs === 1 || await browser.value('document.querySelectorAll(".choice input")[1].checked'));
      check(`${name}: the colours change`, tabs === 1 || before !== await browser.value('document.querySelector("#fig-map canvas").toDataURL()'));
    }
    if (await browser.value('!!document.querySelector("input[type=range]")')) {
      await focus('input[type=range]');
      const before = await browser.value('document.querySelector("#fig-between output").textContent');
      await browser.key('ArrowRight');
      const after = await browser.value('document.querySelector("#fig-between output").textContent');
      check(`${name}: the arrow moves the slider`, before !== after, `(${before})`);
      await focus('#fig-between button');
      await browser.key(' ');
      await pause(800);
      check(`${name}: play moves on`, after !== await browser.value('document.querySelector("#fig-between output").textContent'));
      await browser.key(' ');
      check(`${name}: play stops`, await browser.value('document.querySelector("#fig-between button").getAttribute("aria-pressed")') === 'false');
    }
    if (axe !== 'none') {
      // The page forbids foreign scripts; the protocol may evaluate them all the same.
      await browser.value(readFileSync(axe, 'utf8') + ';0');
      const found = await browser.value('axe.run().then((found) => found.violations.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) => one.id + ": " + one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")))');
      check(`${name}: no serious fault of accessibility`, found.length === 0, found.join('\n  '));
    }
    const foreign = requests.filter((at) => at !== url && !at.startsWith('data:'));
    check(`${name}: no request leaves the page`, foreign.length === 0, foreign.join(' '));
    check(`${name}: no error`, faults.length === 0, faults.join(' '));
    keep(`${title}-${width}${dark ? '-dark' : ''}`, await browser.picture());
  }
  const print = `${title} in print`;
  await browser.open(url, { width: 800, print: true });
  await pause(150);
  await drawn(print);
  check(`${print}: no controls`, await browser.value('[...document.querySelectorAll("canvas, .controls, .choice, nav")].every((one) => !one.getClientRects().length)'));
  const { data } = await browser.send('Page.printToPDF', { printBackground: true });
  check(`${print}: has pages`, Buffer.from(data, 'base64').includes('/Type /Page'));
  keep(`${title}-print`, await browser.picture());
  await browser.open(url, { width: 1280, scripts: false });
  await browser.send('Emulation.setScriptExecutionDisabled', { value: false });
  await drawn(`${title} without scripts`);
}
browser.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
