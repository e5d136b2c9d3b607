'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const RAMP = data.ramp.map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const ramp = (part) => {
    const at = part * (RAMP.length - 1), low = Math.min(Math.floor(at), RAMP.length - 2), rest = at - low;
    return `rgb(${RAMP[low].map((v, k) => Math.round(v * (1 - rest) + RAMP[low + 1][k] * rest)).join(',')})`;
  };
  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const points = (text, n) => {
    const packed = bytes(text), xy = new Uint16Array(2 * n);
    for (let i = 0; i < n; i++) {
      const [a, b, c] = [packed[3 * i], packed[3 * i + 1], packed[3 * i + 2]];
      xy[2 * i] = a << 4 | b >> 4;
      xy[2 * i + 1] = (b & 15) << 8 | c;
    }
    return xy;
  };
  // Codes of cells: one byte or half of one for each.
  const codes = (by, n) => {
    const packed = bytes(by.data);
    if (by.bits === 8) return packed;
    return Uint8Array.from({ length: n }, (_, i) => i % 2 ? packed[i >> 1] & 15 : packed[i >> 1] >> 4);
  };

  // A canvas with two named axes. `paint` draws layers of dots: {xy, colour, keep, radius, alpha}.
  const board = (axes, about) => {
    const canvas = element('canvas', { role: 'img', 'aria-label': about });
    const paint = (layers) => {
      const width = Math.max(200, Math.min(canvas.parentNode.clientWidth, 820)), height = Math.round(width * 0.72);
      const dense = window.devicePixelRatio || 1, g = canvas.getContext('2d');
      canvas.width = width * dense; canvas.height = height * dense;
      g.scale(dense, dense);
      g.fillStyle = css('--paper'); g.fillRect(0, 0, width, height);
      const left = 28, bottom = height - 28, w = width - left - 6, h = bottom - 6;
      for (const { xy, colour, keep, radius, alpha } of layers) {
        g.globalAlpha = alpha; g.fillStyle = colour;
        const square = radius < 1.4, size = 2 * radius;
        for (let i = 0; i < xy.length / 2; i++) {
          if (keep && !keep(i)) continue;
          const x = left + xy[2 * i] / 4095 * w, y = bottom - xy[2 * i + 1] / 4095 * h;
          if (square) g.fillRect(x - radius, y - radius, size, size);
          else { g.beginPath(); g.arc(x, y, radius, 0, 6.2832); g.fill(); }
        }
      }
      g.globalAlpha = 1; g.strokeStyle = g.fillStyle = css('--soft'); g.lineWidth = 1;
      g.beginPath(); g.moveTo(left + .5, 6); g.lineTo(left + .5, bottom + .5); g.lineTo(width - 6, bottom + .5); g.stroke();
      g.font = '12.5px system-ui, sans-serif'; g.textAlign = 'center';
      g.fillText(axes[0], left + w / 2, height - 8);
      g.save(); g.translate(14, 6 + h / 2); g.rotate(-Math.PI / 2); g.fillText(axes[1], 0, 0); g.restore();
    };
    return { canvas, paint };
  };
  const repaint = (draw) => {
    draw();
    new ResizeObserver(draw).observe(document.querySelector('main'));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  };
  const radius = (n) => n > 20000 ? 1.1 : n > 6000 ? 1.5 : n > 1500 ? 2.1 : 2.8;

  const map = (place, of) => {
    const xy = points(of.xy, of.n), all = of.by.map((by) => codes(by, of.n));
    const { canvas, paint } = board(of.axes, of.about);
    const choice = element('fieldset', { class: 'choice' }, element('legend', {}, 'Colour by'));
    const key = element('div', {});
    let now = 0, only = -1;
    const draw = () => {
      const by = of.by[now], code = all[now], none = by.bits === 8 ? 255 : 15, size = radius(of.n), layers = [];
      const n = by.names ? by.names.length : 15;
      layers.push({ xy, colour: css('--none'), keep: (i) => code[i] === none || (only >= 0 && code[i] !== only), radius: size, alpha: .5 });
      if (only < 0) {
        // In the order of the cells, so that no group hides the others: a few rounds over all groups.
        const rounds = 8, part = Math.ceil(of.n / rounds);
        for (let r = 0; r < rounds; r++) for (let k = 0; k < n; k++) {
          layers.push({ xy, colour: by.names ? by.colours[k] : ramp(k / 14), keep: (i) => code[i] === k && Math.floor(i / part) === r, radius: size, alpha: .85 });
        }
      } else layers.push({ xy, colour: by.colours[only], keep: (i) => code[i] === only, radius: size, alpha: .95 });
      paint(layers);
      canvas.setAttribute('aria-label', `${of.about}: ${of.n} cells coloured by ${by.legend}${only >= 0 ? ', only ' + by.names[only] : ''}`);
    };
    const legend = () => {
      const by = of.by[now];
      key.replaceChildren();
      if (!by.names) {
        const strip = element('div', { class: 'ramp', role: 'presentation' });
        strip.style.background = `linear-gradient(90deg,${RAMP.map((_, i) => ramp(i / 8)).join(',')})`;
        key.append(element('div', { class: 'scale' }, by.legend, by.ends[0], strip, by.ends[1]));
        return;
      }
      const list = element('ul', { class: 'legend', 'aria-label': by.legend });
      by.names.forEach((name, k) => {
        const chip = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), dot = document.createElementNS('http://www.w3.org/2000/svg', 'circle');
        chip.setAttribute('width', 11); chip.setAttribute('height', 11); chip.setAttribute('class', 'chip'); chip.setAttribute('aria-hidden', 'true');
        dot.setAttribute('cx', 5.5); dot.setAttribute('cy', 5.5); dot.setAttribute('r', 5); dot.setAttribute('fill', by.colours[k]);
        chip.append(dot);
        const button = element('button', { type: 'button', class: 'pick', 'aria-pressed': 'false', title: 'Show only these cells' }, chip, name);
        button.addEventListener('click', () => {
          only = only === k ? -1 : k;
          list.querySelectorAll('button').forEach((other, j) => other.setAttribute('aria-pressed', String(j === only)));
          draw();
        });
        list.append(element('li', {}, button));
      });
      key.append(list);
    };
    of.by.forEach((by, k) => {
      const input = element('input', { type: 'radio', name: 'colour-by', value: k });
      input.checked = k === 0;
      input.addEventListener('change', () => { now = k; only = -1; legend(); draw(); });
      choice.append(element('label', {}, input, element('span', {}, by.name)));
    });
    place.append(element('div', { class: 'live' }, choice, canvas, key));
    legend();
    repaint(draw);
  };

  const frames = (place, of) => {
    const all = of.frames.map((frame) => points(frame.xy, frame.n));
    const { canvas, paint } = board(of.axes, 'Populations over time');
    const slider = element('input', { type: 'range', min: 0, max: all.length - 1, step: 1, value: 0, 'aria-label': of.title });
    const said = element('output', {});
    const play = element('button', { type: 'button', 'aria-pressed': 'false' }, 'Play');
    let timer = 0;
    const draw = () => {
      const at = Number(slider.value), frame = of.frames[at];
      const grey = of.frames.flatMap((other, k) => other.measured ? [{ xy: all[k], colour: css('--none'), radius: 1.3, alpha: .35 }] : []);
      paint([...grey, { xy: all[at], colour: frame.colour, radius: Math.max(2, radius(frame.n)), alpha: .85 }]);
      const text = `${frame.time}${of.unit ? ' ' + of.unit : ''} · ${frame.measured ? 'measured' : 'predicted'} · ${frame.of} cells`;
      said.textContent = text;
      slider.setAttribute('aria-valuetext', text);
      canvas.setAttribute('aria-label', `Population at ${text}`);
    };
    const stop = () => { clearInterval(timer); timer = 0; play.textContent = 'Play'; play.setAttribute('aria-pressed', 'false'); };
    play.addEventListener('click', () => {
      if (timer) return stop();
      if (Number(slider.value) === all.length - 1) slider.value = 0;
      draw();
      play.textContent = 'Pause'; play.setAttribute('aria-pressed', 'true');
      timer = setInterval(() => {
        if (Number(slider.value) >= all.length - 1) return stop();
        slider.value = Number(slider.value) + 1;
        draw();
      }, 650);
    });
    slider.addEventListener('input', () => { if (timer) stop(); draw(); });
    place.append(element('div', { class: 'live' }, element('div', { class: 'controls' }, play, slider, said), canvas));
    repaint(draw);
  };

  for (const place of document.querySelectorAll('.moving')) {
    const kind = place.dataset.kind, of = data[kind];
    if (!of) continue;
    place.classList.add('on');
    (kind === 'map' ? map : frames)(place, of);
  }
})();
