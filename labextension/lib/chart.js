// Counts as bars: to the right for values, upwards for times and bins.
import { draw, folded, grid, make, number, seconds, shown } from './dom.js';

const short = text => (text.length <= 38 ? text : `${text.slice(0, 37)}…`);
const name = label => (typeof label === 'string' && /^\d{4}-\d\d-\d\dT.*Z$/.test(label) ? seconds(label) : shown(label));

export function chart(data) {
  const timed = data.bars.length && typeof data.bars[0][0] === 'string' && /^\d{4}-\d\d-\d\dT.*Z$/.test(data.bars[0][0]);
  const title = `chart of ${data.variable}: ${data.unit} by ${data.by}`;
  const told = make('div', { class: 'kst-panel', 'aria-live': 'polite' }, title);
  const picture = data.size !== null || timed ? upright(data, told) : level(data, told);
  picture.setAttribute('aria-label', title);
  const notes = [];
  if (data.others.values) {
    notes.push(`${number(data.others.values)} more values: ${number(data.others.number)}`);
  }
  if (data.missing) {
    notes.push(`${number(data.missing)} without a value`);
  }
  const rows = data.bars.map(([label, count]) => [name(label), count]);
  return make(
    'div',
    {},
    told,
    make('div', { class: 'kst-scroll' }, picture),
    ...notes.map(text => make('div', { class: 'kst-quiet' }, text)),
    folded('as a table', grid([data.by, data.unit], rows))
  );
}

function bar(told, text, shape) {
  const tell = () => (told.textContent = text);
  return draw('g', { class: 'kst-bar-mark', tabindex: 0, role: 'img', 'aria-label': text, onfocus: tell, onmouseenter: tell, onclick: tell }, draw('title', {}, text), shape);
}

function level(data, told) {
  const most = Math.max(1e-9, ...data.bars.map(([, count]) => count));
  const picture = draw('svg', { class: 'kst-chart', role: 'group', width: 920, height: data.bars.length * 24 + 8 });
  data.bars.forEach(([label, count], place) => {
    const y = 4 + place * 24;
    const long = (count / most) * 540;
    picture.append(
      draw('text', { x: 262, y: y + 14, 'text-anchor': 'end' }, short(name(label)), draw('title', {}, name(label))),
      bar(told, `${name(label)}: ${number(count)} ${data.unit}`, draw('rect', { class: 'kst-lane-0', x: 270, y: y + 2, width: Math.max(0, long), height: 18, rx: 2 })),
      draw('text', { x: 276 + long, y: y + 14, class: 'kst-quiet' }, number(count))
    );
  });
  return picture;
}

function upright(data, told) {
  const [left, right, top, base] = [60, 870, 16, 206];
  const most = Math.max(1e-9, ...data.bars.map(([, count]) => count));
  const step = (right - left) / Math.max(1, data.bars.length);
  const picture = draw('svg', { class: 'kst-chart', role: 'group', width: 920, height: 240 });
  for (const part of [0, 0.5, 1]) {
    const y = base - part * (base - top);
    picture.append(
      draw('path', { class: 'kst-axis', d: `M${left} ${y}H${right}` }),
      draw('text', { x: left - 6, y: y + 4, class: 'kst-quiet', 'text-anchor': 'end' }, number(Math.round(most * part * 10) / 10))
    );
  }
  const every = Math.max(1, Math.ceil(data.bars.length / 7));
  data.bars.forEach(([label, count], place) => {
    const high = (count / most) * (base - top);
    const shape = draw('rect', { class: 'kst-lane-0', x: left + place * step + 1, y: base - high, width: Math.max(1, step - 2), height: Math.max(0, high) });
    picture.append(bar(told, `${name(label)}: ${number(count)} ${data.unit}`, shape));
    if (place % every === 0) {
      const text = typeof label === 'string' ? (data.size >= 86400 ? label.slice(0, 10) : `${label.slice(5, 10)} ${label.slice(11, 16)}`) : shown(label);
      picture.append(draw('text', { x: left + place * step, y: base + 18, class: 'kst-quiet' }, text));
    }
  });
  return picture;
}
